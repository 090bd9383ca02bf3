import { describe, expect, it } from 'vitest';
import { events, page } from '../fixtures';
import { decodePage } from '../log/decode';
import { EventLog } from '../log/log';
import type { Event } from '../../wire/generated';
import { Follower } from './follow';

function logOf(list: readonly Event[]): EventLog {
  const log = new EventLog();
  log.append(decodePage(page(list)));
  return log;
}
const FACTS = events(1, [{ type: 'sent', len: 3, offset: 0 }, { type: 'kernel_state', end: 'local', state: 'ESTABLISHED', evidence: 'read' }, { type: 'eof', offset: 0, socket: 's2' }, { type: 'eof', offset: 0, socket: 's3' }]);

describe('Follower', () => {
  it('reads each event of its sockets once, a kind the log does not know too', () => {
    const log = logOf(FACTS);
    const seen: number[] = [];
    const follower = new Follower(log, ['s1', 's2'], ({ seq }) => seen.push(seq));
    expect(follower.behind).toBe(true);
    expect(follower.update()).toBe(true);
    expect(follower.update()).toBe(false);
    log.append(decodePage(page(events(5, [{ type: 'eof', offset: 1 }]))));
    follower.update();
    expect(seen).toEqual([2, 3, 5]);
    expect(follower.behind).toBe(false);
  });

  it('brings sends and receives only to whom they matter', () => {
    const seen: string[] = [];
    new Follower(logOf(FACTS), ['s1'], ({ type }) => seen.push(type), true).update();
    expect(seen).toEqual(['sent', 'kernel_state']);
  });

  it('knows when another log began', () => {
    const log = logOf(FACTS);
    const follower = new Follower(log, ['s1'], () => undefined);
    expect(follower.stale).toBe(false);
    log.reset('e2');
    expect(follower.stale).toBe(true);
  });
});
