import { describe, expect, it } from 'vitest';
import { Arena } from './arena';
import { decodePage } from './decode';
import { events, page, utf8 } from '../fixtures';
import { ADDRESSES, EventLog } from './log';

const hello = { type: 'received', len: 5, offset: 0, payload: btoa('hello') } as const;

describe('EventLog', () => {
  it('gives back the events it took, bytes as bytes', () => {
    const log = new EventLog();
    const [opening, received, sent] = events(1, [
      { type: 'opening', target: 'tcp://a:1', role: 'client', options: {} },
      { ...hello, took_us: 41 },
      { type: 'sent', len: 2, offset: 0, payload: btoa('hi'), cause: 'v1.c1' },
    ]);
    log.append(decodePage(page([opening!, received!, sent!])));
    expect(log.length).toBe(3);
    expect(log.at(0)).toEqual(opening);
    expect(log.get(2)).toEqual({ ...received, payload: undefined, bytes: utf8('hello') });
    expect(log.get(3)).toMatchObject({ type: 'sent', cause: 'v1.c1', bytes: utf8('hi') });
    expect(log.get(3)!.at).toBe(sent!.at);
    expect(log.get(4)).toBeUndefined();
  });

  it('takes a page that comes twice only once', () => {
    const log = new EventLog();
    const list = events(1, [hello, hello, hello]);
    expect(log.append(decodePage(page(list.slice(0, 2))))).toBe(2);
    expect(log.append(decodePage(page(list)))).toBe(1);
    expect([...log.ofSocket('s1')].map((event) => event.seq)).toEqual([1, 2, 3]);
  });

  it('keeps a gap as a row between its neighbours', () => {
    const log = new EventLog();
    const list = [...events(1, [hello]), ...events(10, [hello])];
    log.append(decodePage(page(list, { gaps: [{ from: 2, to: 9, reason: 'evicted' }] })));
    expect(log.length).toBe(3);
    expect(log.at(1)).toBeUndefined();
    expect(log.gap(1)).toEqual({ from: 2, to: 9, reason: 'evicted' });
    expect(log.gaps).toHaveLength(1);
    expect(log.get(10)!.seq).toBe(10);
    expect(log.get(2)).toBeUndefined();
  });

  it('holds more rows than one block and finds each of them', () => {
    const log = new EventLog();
    const many = 20_000;
    for (let first = 1; first <= many; first += 777) {
      log.append(decodePage(page(events(first, Array.from({ length: Math.min(777, many - first + 1) }, () => hello)))));
    }
    expect(log.length).toBe(many);
    for (const seq of [1, 2, 8192, 8193, 16_385, many]) expect(log.get(seq)).toMatchObject({ seq, bytes: utf8('hello') });
  });

  it('gives up its oldest rows beyond its capacity, and says how many the server still has', () => {
    const log = new EventLog({ rows: 10_000, facts: 100_000 });
    for (let first = 1; first <= 30_000; first += 1000) log.append(decodePage(page(events(first, Array.from({ length: 1000 }, () => hello)))));
    expect(log.length).toBeLessThanOrEqual(10_000);
    expect(log.get(30_000)).toBeDefined();
    expect(log.get(1)).toBeUndefined();
    expect(log.older).toBe(log.first - 1);
    expect(log.seqAt(log.base)).toBe(log.first);
  });

  it('gives up rows when there are too many facts kept as objects', () => {
    const log = new EventLog({ rows: 1_000_000, facts: 9000 });
    for (let first = 1; first <= 20_000; first += 1000) log.append(decodePage(page(events(first, Array.from({ length: 1000 }, () => ({ type: 'eof', offset: 0 }) as const)))));
    expect(log.length).toBeLessThanOrEqual(9000);
    expect(log.get(20_000)).toMatchObject({ type: 'eof' });
  });

  it('gives up payloads first and says that the server has them', () => {
    const log = new EventLog(undefined, new Arena(64, 32));
    for (let seq = 1; seq <= 20; seq += 1) log.append(decodePage(page(events(seq, [hello]))));
    expect(log.get(1)).toMatchObject({ len: 5, away: true });
    expect(log.get(1)!.bytes).toBeUndefined();
    expect(log.get(20)!.bytes).toEqual(utf8('hello'));
    expect(log.payloadBytes).toBeLessThanOrEqual(64);
  });

  it('drops what the server no longer has', () => {
    const log = new EventLog();
    log.append(decodePage(page(events(1, [hello, hello, hello]))));
    log.append(decodePage(page(events(4, [{ type: 'note', code: 'log_trimmed' }]), { first: 4 })));
    expect(log.length).toBe(1);
    expect(log.first).toBe(4);
    expect(log.get(3)).toBeUndefined();
    expect(log.lost).toEqual({ from: 1, to: 3, reason: 'trimmed' });
  });

  it('says what was lost before it came', () => {
    const log = new EventLog();
    expect(log.lost).toBeUndefined();
    log.append(decodePage(page(events(8, [hello]), { first: 8, gaps: [{ from: 1, to: 7, reason: 'trimmed' }] })));
    expect(log.length).toBe(1);
    expect(log.lost).toEqual({ from: 1, to: 7, reason: 'trimmed' });
    log.append(decodePage(page(events(9, [hello]), { first: 9 })));
    expect(log.lost).toEqual({ from: 1, to: 8, reason: 'evicted' });
  });

  it('keeps addresses of datagrams apart', () => {
    const log = new EventLog();
    const from = (address: string) => ({ type: 'received', len: 1, from: address, payload: btoa('x') }) as const;
    log.append(decodePage(page(events(1, [from('a:1'), from('b:2'), from('a:1')]))));
    log.append(decodePage(page(events(4, [from('c:3'), from('b:2')]))));
    expect([1, 2, 3, 4, 5].map((seq) => (log.get(seq) as { from?: string }).from)).toEqual(['a:1', 'b:2', 'a:1', 'c:3', 'b:2']);
  });

  it('forgets addresses no row names any more, and mixes none up', () => {
    const log = new EventLog({ rows: 20_000, facts: 100_000 });
    const total = ADDRESSES + 20_000;
    for (let first = 1; first <= total; first += 4000) {
      log.append(decodePage(page(events(first, Array.from({ length: 4000 }, (_, i) => ({ type: 'received', len: 1, from: `a:${String(first + i)}` }) as const)))));
    }
    for (const seq of [log.first, log.first + 9999, log.head]) expect(log.get(seq)).toMatchObject({ from: `a:${String(seq)}` });
  });

  it('begins anew with another log', () => {
    const log = new EventLog();
    log.append(decodePage(page(events(1, [hello]))));
    log.reset('e2');
    expect([log.length, log.epoch, log.head]).toEqual([0, 'e2', 0]);
    log.append(decodePage(page(events(1, [hello]), { epoch: 'e2' })));
    expect(log.length).toBe(1);
  });
});
