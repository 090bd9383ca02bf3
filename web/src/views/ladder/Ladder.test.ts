// @vitest-environment happy-dom
import { flushSync, mount, unmount } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { received, sent, testLog, testSocket, type TestFact } from '../../model/ladder/fixtures';
import Ladder from './Ladder.svelte';

const socket = testSocket('s1', { local: '127.0.0.1:4000', remote: '93.184.216.34:80' });
let mounted: ReturnType<typeof mount> | undefined;

function show(facts: TestFact[], of = socket) {
  const onselect = vi.fn();
  mounted = mount(Ladder, { target: document.body, props: { socket: of, sockets: new Map([[of.id, of]]), log: testLog(facts), version: 0, onselect } });
  flushSync();
  const stage = document.querySelector<HTMLElement>('[data-testid=ladder-stage]');
  const press = (key: string): void => {
    stage?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    flushSync();
  };
  return { onselect, stage, press, options: () => [...document.querySelectorAll<HTMLElement>('[role=option]')] };
}

afterEach(() => {
  if (mounted !== undefined) void unmount(mounted);
  mounted = undefined;
});

describe('Ladder', () => {
  it('says of each call what it was, its bytes and how long it took', () => {
    const { options } = show([sent(100, 41, 5, 0), received(300, 250, 1536, 0), { type: 'failed', t: 500, took: 3, code: 'broken_pipe', phase: 'send', errno: 'EPIPE', fatal: true }]);
    expect(options().map((option) => option.getAttribute('aria-label'))).toEqual(['send 5 B 41 µs', 'recv 1.5 KiB 250 µs', 'send 3 µs EPIPE']);
  });

  it('says that the wire is empty, and that the peer is not ours', () => {
    show([sent(100, 41, 5, 0)]);
    expect(document.body.textContent).toMatch(/Nothing captured/);
    expect(document.body.textContent).toMatch(/The peer is not ours/);
  });

  it('is walked by arrow keys and selects with Enter', () => {
    const { press, onselect, stage } = show([sent(100, 41, 5, 0), received(300, 250, 5, 0)]);
    press('Home');
    press('ArrowDown');
    const active = document.getElementById(stage?.getAttribute('aria-activedescendant') ?? '');
    expect(active?.getAttribute('aria-label')).toMatch(/^recv/);
    press('Enter');
    expect(onselect).toHaveBeenCalledWith(2);
  });

  it('selects what is clicked', () => {
    const { options, onselect } = show([sent(100, 41, 5, 0), received(300, 250, 5, 0)]);
    options()[0]?.click();
    expect(onselect).toHaveBeenCalledWith(1);
  });

  it('leaves keys alone that are not its own', () => {
    const { stage } = show([sent(100, 41, 5, 0)]);
    const event = new KeyboardEvent('keydown', { key: 'p', bubbles: true, cancelable: true });
    stage?.dispatchEvent(event);
    expect(event.defaultPrevented).toBe(false);
  });

  it('never makes markup or hidden characters of what it was told', () => {
    show([{ type: 'opening', t: 1, target: 'tcp://<img src=x onerror=1>\u202e:1', role: 'client', options: {} }]);
    expect(document.querySelector('img')).toBeNull();
    expect(document.body.textContent).toContain('<img src=x onerror=1>\\u{202e}');
  });

  it('says so when nothing was called yet, and when earlier calls are gone', () => {
    show([]);
    expect(document.body.textContent).toMatch(/No calls yet/);
    if (mounted !== undefined) void unmount(mounted);
    show([sent(100, 41, 5, 0)], { ...socket, opened_seq: 0 });
    expect(document.body.textContent).toMatch(/Earlier calls/);
  });
});
