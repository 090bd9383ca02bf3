// @vitest-environment happy-dom
import { flushSync, mount, unmount } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../link/api';
import { frame } from '../../model/wire/fixtures';
import type { Frame } from '../../wire/generated';
import Layers from './Layers.svelte';

let mounted: ReturnType<typeof mount> | undefined;

async function show(got: Promise<Frame>, onclose?: () => void): Promise<void> {
  mounted = mount(Layers, { target: document.body, props: { seq: 7, frame: () => got, ...(onclose === undefined ? {} : { onclose }) } });
  await got.catch(() => undefined);
  await Promise.resolve();
  flushSync();
}

afterEach(() => {
  if (mounted !== undefined) void unmount(mounted);
  mounted = undefined;
});

const all = (id: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(`[data-testid=${id}]`)];
const lit = (id: string): HTMLElement[] => all(id).filter((element) => element.dataset.lit !== undefined);
const layer = (name: string): HTMLElement => document.querySelector<HTMLElement>(`[data-layer=${name}]`)!;

describe('Layers', () => {
  it('shows every layer with its bytes and fields, and explains what is remarkable', async () => {
    await show(Promise.resolve(frame()));
    expect(all('frame-layer').map((element) => element.dataset.layer)).toEqual(['ethernet', 'ipv4', 'tcp', 'payload']);
    expect(all('frame-byte')).toHaveLength(71);
    expect(all('frame-remark')[0]?.textContent).toMatch(/checksum offload/);
  });

  it('lights the bytes of a field, and the fields of a byte', async () => {
    await show(Promise.resolve(frame()));
    const port = layer('tcp').querySelector<HTMLElement>('[data-field=source_port]')!;
    port.dispatchEvent(new Event('pointerenter'));
    flushSync();
    expect(lit('frame-byte').map((byte) => byte.dataset.byte)).toEqual(['0', '1']);
    port.dispatchEvent(new Event('pointerleave'));
    layer('ipv4').querySelector<HTMLElement>('[data-byte="0"]')!.dispatchEvent(new Event('pointerover', { bubbles: true }));
    flushSync();
    expect(lit('frame-field').map((field) => field.dataset.field)).toEqual(['version', 'header_length']);
  });

  it('is walked by keys, byte by byte and field by field', async () => {
    await show(Promise.resolve(frame()));
    const grid = layer('ipv4').querySelector<HTMLElement>('[role=grid]')!;
    grid.focus();
    for (const key of ['ArrowDown', 'ArrowRight']) grid.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    flushSync();
    expect(document.getElementById(grid.getAttribute('aria-activedescendant')!)?.getAttribute('aria-label')).toMatch(/^byte 23: .*Protocol 6 TCP/);
    expect(lit('frame-field').map((field) => field.dataset.field)).toEqual(['protocol']);
    const first = layer('tcp').querySelector<HTMLElement>('button')!;
    first.focus();
    first.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true, cancelable: true }));
    flushSync();
    expect((document.activeElement as HTMLElement).dataset.field).toBe('destination_port');
    expect(lit('frame-byte').map((byte) => byte.dataset.byte)).toEqual(['2', '3']);
  });

  it('says when the frame is gone, and can be closed', async () => {
    const onclose = vi.fn();
    await show(Promise.reject(new ApiError(410, undefined, 'evicted')), onclose);
    expect(all('frame-error')[0]?.textContent).toMatch(/gone/);
    all('frame-close')[0]?.click();
    expect(onclose).toHaveBeenCalled();
  });
});
