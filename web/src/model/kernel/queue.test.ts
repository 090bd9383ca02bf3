import { describe, expect, it } from 'vitest';
import { events } from '../fixtures';
import { AcceptQueue, slots, SLOTS_DRAWN } from './queue';

describe('the accept queue', () => {
  it('follows what waits and remembers the most', () => {
    const queue = new AcceptQueue();
    for (const event of events(1, [{ type: 'listening', local: '127.0.0.1:1', backlog: 5 }, { type: 'accept_queue', length: 6, limit: 5 }, { type: 'accept_queue', length: 2, limit: 5 }])) queue.add(event);
    expect(queue).toMatchObject({ backlog: 5, most: 6, now: { length: 2, limit: 5 } });
  });

  it('has one place more than the limit says', () => {
    const places = slots({ length: 2, limit: 3 });
    expect(places.map(({ taken }) => taken)).toEqual([true, true, false, false]);
    expect(places.map(({ beyond }) => beyond)).toEqual([false, false, false, true]);
  });

  it('draws no thousand slots', () => {
    expect(slots({ length: 0, limit: SLOTS_DRAWN })).toEqual([]);
    expect(slots({ length: 0, limit: SLOTS_DRAWN - 1 })).toHaveLength(SLOTS_DRAWN);
  });
});
