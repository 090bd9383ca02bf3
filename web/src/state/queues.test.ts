import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { socket } from '../model/fixtures';
import { Sockets } from '../model/sockets/fold';
import { Queues, QUEUE_MS, QUEUES_ASKED } from './queues';

const blocked = { bytes: 70, blocked_since_us: 5 };

function setUp(count = 1) {
  const sockets = new Sockets();
  sockets.snapshot({ epoch: 'e1', head: 1, sockets: Array.from({ length: count }, (_, i) => socket({ id: `s${String(i + 1)}`, queue: blocked })) });
  const ask = vi.fn((id: string) => Promise.resolve(socket({ id, queue: { bytes: 90, blocked_since_us: 5 } })));
  const awake = vi.fn(() => true);
  const changed = vi.fn();
  return { sockets, ask, awake, changed, queues: new Queues(sockets, { ask, awake, changed }) };
}

describe('Queues', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('asks as long as somebody waits, and no longer', async () => {
    const { sockets, ask, changed, queues } = setUp();
    queues.watch();
    queues.watch();
    await vi.advanceTimersByTimeAsync(QUEUE_MS);
    expect(ask).toHaveBeenCalledTimes(1);
    expect(sockets.all.get('s1')!.queue.bytes).toBe(90);
    expect(changed).toHaveBeenCalledOnce();
    ask.mockImplementation((id) => Promise.resolve(socket({ id, queue: { bytes: 12 } })));
    await vi.advanceTimersByTimeAsync(QUEUE_MS);
    expect(sockets.all.get('s1')!.queue).toEqual({ bytes: 12 });
    await vi.advanceTimersByTimeAsync(QUEUE_MS * 5);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('bears a socket that is gone, and asks for no more than so many at a time', async () => {
    const { sockets, ask, queues } = setUp(QUEUES_ASKED + 3);
    ask.mockRejectedValueOnce(new Error('404'));
    queues.watch();
    await vi.advanceTimersByTimeAsync(QUEUE_MS);
    expect(ask).toHaveBeenCalledTimes(QUEUES_ASKED);
    expect([sockets.all.get('s1')!.queue.bytes, sockets.all.get('s2')!.queue.bytes]).toEqual([70, 90]);
  });

  it('leaves the server alone while nobody looks', async () => {
    const { ask, awake, queues } = setUp();
    awake.mockReturnValue(false);
    queues.watch();
    await vi.advanceTimersByTimeAsync(QUEUE_MS * 3);
    expect(ask).not.toHaveBeenCalled();
    awake.mockReturnValue(true);
    await vi.advanceTimersByTimeAsync(QUEUE_MS);
    expect(ask).toHaveBeenCalledOnce();
  });
});
