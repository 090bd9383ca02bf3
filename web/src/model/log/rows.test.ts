import { describe, expect, it } from 'vitest';
import { Arena } from './arena';
import { decodePage } from './decode';
import { events, page } from '../fixtures';
import { EventLog } from './log';
import { matcherOf } from './matcher';
import { EVERYTHING, type Filter, Rows } from './rows';

function filled(log = new EventLog()): EventLog {
  log.append(
    decodePage(
      page(
        events(1, [
          { type: 'opening', target: 'tcp://needle.example:1', role: 'client', options: {} },
          { type: 'sent', len: 6, payload: btoa('Needle') },
          { type: 'received', len: 3, payload: btoa('hay'), socket: 's2' },
          { type: 'received', len: 3, from: 'needle:9', payload: btoa('hay') },
          { type: 'eof', offset: 3, socket: 's2' },
        ]),
        { gaps: [{ from: 6, to: 9, reason: 'evicted' }] },
      ),
    ),
  );
  return log;
}

function seqs(rows: Rows, log: EventLog): number[] {
  return Array.from({ length: rows.length }, (_, i) => log.seqAt(rows.at(i)));
}

describe('Rows', () => {
  it.each([
    ['everything', {}, [1, 2, 3, 4, 5, 6]],
    ['one socket', { sockets: new Set([2]) }, [3, 5, 6]],
    ['what was sent', { direction: 'sent' as const }, [2, 6]],
    ['kinds', { kinds: new Set(['eof', 'opening'] as const) }, [1, 5, 6]],
    ['practice peers left out', { without: new Set([2]) }, [1, 2, 4, 6]],
    ['a text, in bytes, fields and addresses', { matcher: matcherOf('needle') }, [1, 2, 4, 6]],
    ['bytes by their digits', { matcher: matcherOf('hex: 68 61') }, [3, 4, 6]],
  ])('shows %s, and always the gaps', (_, filter, expected) => {
    const log = filled();
    const rows = new Rows(log, { ...EVERYTHING, ...filter });
    rows.update();
    expect(seqs(rows, log)).toEqual(expected);
  });

  it('grows with the log and shrinks with it', () => {
    const log = filled();
    const rows = new Rows(log, EVERYTHING);
    rows.update();
    log.append(decodePage(page(events(10, [{ type: 'eof', offset: 0 }]), { first: 4 })));
    rows.update();
    expect(seqs(rows, log)).toEqual([4, 5, 6, 10]);
    expect(rows.dropped).toBe(3);
    expect(rows.before(log.rowOf(10))).toBe(3);
  });

  it('stays where a paused view stands', () => {
    const log = filled();
    const rows = new Rows(log, EVERYTHING);
    const end = log.end;
    rows.update(end);
    log.append(decodePage(page(events(10, [{ type: 'eof', offset: 0 }]))));
    rows.update(end);
    expect(rows.length).toBe(6);
    expect(rows.behind).toBe(1);
    rows.update();
    expect(rows.length).toBe(7);
  });

  it('does not judge bytes it does not have', () => {
    const log = new EventLog(undefined, new Arena(16, 8));
    for (let seq = 1; seq <= 6; seq += 1) log.append(decodePage(page(events(seq, [{ type: 'received', len: 6, payload: btoa('needle') }]))));
    const rows = new Rows(log, { ...EVERYTHING, matcher: matcherOf('needle') });
    rows.update();
    expect(seqs(rows, log)).toEqual([5, 6]);
    expect(rows.away.map((row) => log.seqAt(row))).toEqual([1, 2, 3, 4]);
    rows.judge(new Map([[log.rowOf(2), true], [log.rowOf(3), false]]));
    expect(seqs(rows, log)).toEqual([2, 5, 6]);
    expect(rows.away).toHaveLength(2);
  });

  it('holds many rows', () => {
    const log = new EventLog();
    const rows = new Rows(log, { ...EVERYTHING, direction: 'received' });
    for (let first = 1; first <= 9000; first += 1000) {
      log.append(decodePage(page(events(first, Array.from({ length: 1000 }, () => ({ type: 'received', len: 1 }) as const)), { first: Math.max(1, first - 2500) })));
      rows.update();
    }
    expect(rows.length).toBe(log.length);
    expect(log.seqAt(rows.at(rows.length - 1))).toBe(9000);
    expect(log.seqAt(rows.at(0))).toBe(log.first);
  });
});

describe('rows of the kernel shelf', () => {
  const list = events(1, [
    { type: 'sent', len: 1, offset: 0 },
    { type: 'segment', sender: 'local', protocol: 'tcp', interface: 'lo', flags: ['psh', 'ack'], len: 1, frame_len: 67 },
    { type: 'kernel_state', end: 'local', state: 'FIN_WAIT_1', evidence: 'passed_through' },
  ]);
  const shown = (filter: Partial<Filter>): number => {
    const log = new EventLog();
    log.append(decodePage(page(list, { gaps: [{ from: 90, to: 91, shelf: 'kernel', reason: 'evicted' }] })));
    const rows = new Rows(log, { ...EVERYTHING, ...filter });
    rows.update();
    return rows.length;
  };

  it('are left out, with the gaps of their shelf, until they are asked for', () => {
    expect(shown({ kernel: false })).toBe(1);
    expect(shown({ kernel: true })).toBe(4);
    expect(shown({ kernel: false, kinds: new Set(['segment'] as const) })).toBe(1);
  });
});
