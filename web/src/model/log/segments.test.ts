import { describe, expect, it } from 'vitest';
import type { Event, Fact } from '../../wire/generated';
import { events, page } from '../fixtures';
import { BatchBuilder, decodePage, transferables } from './decode';
import { EventLog } from './log';

const syn: Fact = { type: 'segment', sender: 'local', protocol: 'tcp', interface: 'lo', far: 's2', flags: ['syn'], seq_number: 4_294_967_295, seq_relative: 0, window: 65_495, len: 0, mss: 65_495, frame_len: 74 };
const data: Fact = {
  type: 'segment',
  sender: 'peer',
  protocol: 'tcp',
  interface: 'eth0',
  flags: ['psh', 'ack'],
  seq_number: 7,
  ack_number: 9,
  seq_relative: 6_000_000_000,
  ack_relative: 1,
  window: 0,
  len: 65_483,
  offset: 5_999_999_999,
  pieces: 46,
  mss: 1448,
  marks: ['retransmission', 'zero_window'],
  frame_len: 65_549,
};
const datagram: Fact = { type: 'segment', sender: 'local', protocol: 'udp', interface: 'lo', len: 5, frame_len: 47 };
const refused: Fact = { type: 'segment', sender: 'peer', protocol: 'icmp', interface: 'lo', len: 0, icmp: { type: 3, code: 3, from: '127.0.0.1' }, frame_len: 75 };
const state: Fact = { type: 'kernel_state', end: 'local', state: 'ESTABLISHED', evidence: 'read' };

/** Fields in one order, whatever order they came in. */
const sorted = (event: Event | undefined): unknown => event && Object.fromEntries(Object.entries(event).sort(([a], [b]) => a.localeCompare(b)).map(([key, value]): [string, unknown] => [key, Array.isArray(value) ? [...(value as string[])].sort() : value]));

describe('captured segments', () => {
  it('come back as they were told, through columns', () => {
    const log = new EventLog();
    const list = events(1, [syn, data, state, datagram, refused, data]);
    log.append(decodePage(page(list)));
    for (const event of list) expect(sorted(log.get(event.seq))).toEqual(sorted(event));
    expect(log.farAt(log.rowOf(1))).toBe(2);
    expect(log.farAt(log.rowOf(2))).toBe(0);
    expect(log.kindAt(log.rowOf(4))).toBe('segment');
  });

  it('keep their places across pages, blocks and what comes twice', () => {
    const log = new EventLog();
    const many = 20_000;
    const one = (seq: number): Fact => (seq % 3 === 0 ? state : { ...data, len: seq, seq_number: seq });
    for (let first = 1; first <= many; first += 700) {
      // Every page repeats the end of the one before.
      const from = Math.max(1, first - 50);
      const list = events(from, Array.from({ length: Math.min(many, first + 699) - from + 1 }, (_, i) => one(from + i)));
      log.append(decodePage(page(list)));
    }
    expect(log.length).toBe(many);
    for (let seq = 1; seq <= many; seq += 101) {
      if (seq % 3 !== 0) expect(log.get(seq)).toMatchObject({ type: 'segment', len: seq, seq_number: seq, marks: ['retransmission', 'zero_window'] });
    }
  });

  it('are handed over without a copy, several pages in one batch', () => {
    const builder = new BatchBuilder();
    builder.add(page(events(1, [syn, data])));
    builder.add(page(events(3, [datagram, data])));
    const batch = builder.finish();
    expect(batch.extras).toHaveLength(0);
    expect(transferables(batch)).toContain(batch.segments.word.buffer);
    const log = new EventLog();
    log.append(structuredClone(batch));
    expect(log.get(4)).toMatchObject({ seq_relative: 6_000_000_000, pieces: 46, mss: 1448 });
  });

  it('do not count as facts kept as objects, and kernel facts do not count with the others', () => {
    const log = new EventLog({ rows: 1_000_000, facts: 9000, kernel: 20_000 });
    for (let first = 1; first <= 30_000; first += 1000) log.append(decodePage(page(events(first, Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? data : state))))));
    expect(log.length).toBe(30_000);
    for (let first = 30_001; first <= 60_000; first += 1000) log.append(decodePage(page(events(first, Array.from({ length: 1000 }, () => state)))));
    expect(log.length).toBeLessThan(45_000);
  });
});
