// @vitest-environment happy-dom
import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { received, sent, testLog, testSocket, type TestFact } from '../../model/ladder/fixtures';
import { exchange, frame, segment } from '../../model/wire/fixtures';
import type { KernelSight } from '../../wire/generated';
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

describe('the wire on the ladder', () => {
  // The DOM of these tests lays nothing out; a ladder draws as much as there is room for.
  beforeEach(() => {
    vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(4000);
    vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(1000);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const wire = (facts: TestFact[], more: { sight?: KernelSight; onsight?: () => void } = {}) => {
    const onselect = vi.fn();
    mounted = mount(Ladder, { target: document.body, props: { socket, sockets: new Map([[socket.id, socket]]), log: testLog(facts), version: 0, onselect, frame: () => Promise.resolve(frame()), ...more } });
    flushSync();
    const stage = document.querySelector<HTMLElement>('[data-testid=ladder-stage]');
    const all = (id: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(`[data-testid=${id}]`)];
    const press = (key: string): void => {
      stage?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
      flushSync();
    };
    return { onselect, all, press };
  };
  const facts = exchange().map((fact) => ({ ...fact, t: fact.t * 100 }));
  const sight = (active: boolean): KernelSight => ({ tcp_info: { active: true }, sock_diag: { active: true }, segments: active ? { active } : { active, errno: 'EPERM' }, container: false });

  it('says of each segment its flags, its bytes and what it acknowledges, relatively or as on the wire', () => {
    const { all } = wire(facts);
    const said = (): (string | null)[] => all('wire-segment').map((one) => one.getAttribute('aria-label'));
    expect(said().slice(0, 4)).toEqual(['to the peer: SYN 0', 'to us: SYN, ACK 0 ack 1', 'to the peer: ACK ack 1', 'to the peer: PSH, ACK 1:6 (5) ack 1']);
    all('ladder-absolute')[0]?.click();
    flushSync();
    expect(said()[3]).toBe('to the peer: PSH, ACK 1001:1006 (5) ack 5001');
  });

  it('prints states where they change, each with how it is known', () => {
    const { all } = wire(facts);
    expect(all('rail-state').map((one) => `${one.dataset.side ?? ''} ${one.dataset.state ?? ''} ${one.dataset.evidence ?? ''}`)).toEqual([
      'ours SYN_SENT passed_through',
      'ours ESTABLISHED read',
      'ours FIN_WAIT_1 passed_through',
      'ours FIN_WAIT_2 read',
      'ours TIME_WAIT read',
      'peer SYN_RECEIVED passed_through',
      'peer ESTABLISHED read',
      'peer CLOSE_WAIT read',
      'peer LAST_ACK passed_through',
      'peer ? unknown',
    ]);
  });

  it('explains what is remarkable when it is pointed at', () => {
    const { all } = wire([segment(100, 'local', ['ack'], 1, 1, 2896, { pieces: 2, mss: 1448, marks: ['retransmission'] })]);
    expect(all('wire-mark').map((mark) => mark.dataset.mark)).toEqual(['retransmission']);
    all('wire-segment')[0]?.dispatchEvent(new Event('pointerover', { bubbles: true }));
    flushSync();
    expect(all('ladder-readout')[0]?.textContent).toMatch(/Sent again.*1 frame = 2 segments of 1,448.*offload/su);
  });

  it('opens the frame of a segment, follows whoever walks on, and closes it with Escape', () => {
    const { all, press, onselect } = wire(facts);
    all('wire-segment')[0]?.click();
    flushSync();
    expect(onselect).toHaveBeenCalledWith(2);
    expect(all('frame')[0]?.dataset.seq).toBe('2');
    press('ArrowDown');
    expect(all('frame')[0]?.dataset.seq).toBe('4');
    press('Escape');
    expect(all('frame')).toHaveLength(0);
  });

  it('is one of the rails that arrow keys go to', () => {
    const { press } = wire(facts);
    const active = (): string | undefined => document.getElementById(document.querySelector('[data-testid=ladder-stage]')!.getAttribute('aria-activedescendant') ?? '')?.dataset.side;
    press('Home');
    expect(active()).toBe('ours');
    press('ArrowRight');
    expect(active()).toBe('wire');
    press('ArrowRight');
    expect(active()).toBe('peer');
    press('ArrowLeft');
    expect(active()).toBe('wire');
  });

  it('says which level is active where nothing was captured, and leads to the next', () => {
    const onsight = vi.fn();
    const { all } = wire([sent(100, 41, 5, 0)], { sight: sight(false), onsight });
    expect(all('kernel-sight')[0]?.dataset.level).toBe('2');
    expect(document.body.textContent).toMatch(/segments are not seen here/);
    all('wire-how')[0]?.click();
    expect(onsight).toHaveBeenCalled();
  });

  it('does not ask for more where segments are seen', () => {
    const { all } = wire([sent(100, 41, 5, 0)], { sight: sight(true) });
    expect(all('wire-how')).toHaveLength(0);
    expect(document.body.textContent).toMatch(/Nothing captured of this socket yet/);
  });
});
