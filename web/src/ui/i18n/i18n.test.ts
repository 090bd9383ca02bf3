// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest';
import { KINDS } from '../../model/log/columns';
import { events } from '../../model/fixtures';
import type { LogEvent } from '../../model/log/log';
import { CODES, type Fact, type PeerKind, type TcpInfo } from '../../wire/generated';
import { en } from './en';
import { LANGUAGES, sayIn, sentenceIn } from './lang.svelte';
import { zh } from './zh';

/** Every path to a text in a table; functions count as texts. */
function paths(table: object, at = ''): string[] {
  return Object.entries(table).flatMap(([key, value]) => (typeof value === 'object' && value !== null ? paths(value as object, `${at}${key}.`) : [at + key]));
}

const PEERS: Record<PeerKind, true> = {
  echo: true,
  echo_udp: true,
  discard: true,
  chargen: true,
  daytime: true,
  slow_reader: true,
  fragmenter: true,
  half_closer: true,
  resetter: true,
  silent: true,
  greeter: true,
  http: true,
  ticker: true,
  middlebox: true,
};

const INFO: TcpInfo = {
  rtt_us: 41, rtt_var_us: 20, min_rtt_us: 12, rto_us: 201_000, retransmits: 0, total_retransmits: 0, send_mss: 1448, receive_mss: 536, path_mtu: 1500, congestion_window: 10, unacked: 0, sacked: 0, lost: 0,
  send_window: 65_536, receive_space: 65_536, bytes_acked: 6, bytes_received: 5, bytes_sent: 5, bytes_retransmitted: 0, not_sent: 0, segments_out: 4, segments_in: 3, data_segments_out: 1, data_segments_in: 1,
  delivery_rate: 1000, busy_us: 100, window_limited_us: 0, buffer_limited_us: 0, out_of_order: 0,
};

const counters = { sent_bytes: 1, received_bytes: 1, sent_events: 1, received_events: 1, dropped: 0 };

/** One fact of every kind; a new kind does not compile until it is here. */
const FACTS: { [K in Fact['type']]: Extract<Fact, { type: K }> } = {
  opening: { type: 'opening', target: 'tcp://a:1', role: 'client', name: 'x', practice: 'echo', bridge: 'wisp', options: {} },
  resolved: { type: 'resolved', name: 'a', addresses: ['1.2.3.4', '::1'] },
  connecting: { type: 'connecting', remote: 'a:1', attempt: 1, of: 2 },
  connected: { type: 'connected', local: 'l:1', remote: 'a:1', parent: 's9' },
  bound: { type: 'bound', local: 'l:1', reachable_from_outside: true },
  listening: { type: 'listening', local: 'l:1', backlog: 9 },
  accepted: { type: 'accepted', child: 's2', remote: 'a:1' },
  sent: { type: 'sent', len: 1, to: 'a:1' },
  received: { type: 'received', len: 2, from: 'a:1', truncated: true },
  eof: { type: 'eof', offset: 2 },
  shutdown: { type: 'shutdown', how: 'write' },
  reset: { type: 'reset', side: 'peer', phase: 'receive', errno: 'ECONNRESET' },
  closing: { type: 'closing', queued_bytes: 4096 },
  closed: { type: 'closed', reason: 'closed', counters, unsent_bytes: 7, unread_bytes: 3 },
  refused_by_policy: { type: 'refused_by_policy', target: 'tcp://a:1', address: '169.254.169.254', class: 'metadata', rule: 'never-metadata', fatal: true },
  failed: { type: 'failed', code: 'refused', phase: 'connect', errno: 'ECONNREFUSED', remote: 'a:1', option: 'nodelay', fatal: true },
  option_set: { type: 'option_set', option: 'nodelay', asked: 1, granted: 1 },
  dropped: { type: 'dropped', count: 3, total: 9, reason: 'kernel_buffer_full' },
  paused: { type: 'paused', what: 'send', reason: 'peer_not_reading', queued_bytes: 70 },
  resumed: { type: 'resumed', what: 'send', after_us: 1_200_000 },
  relayed: { type: 'relayed', sent_bytes: 1_200_000, sent_calls: 47, received_bytes: 3_000_000, received_calls: 51 },
  note: { type: 'note', code: 'renamed', params: { name: 'x' } },
  kernel_state: { type: 'kernel_state', end: 'peer', state: 'TIME_WAIT', evidence: 'passed_through', timer: { kind: 'time_wait', expires_ms: 59_000, retransmits: 1 }, owner: { uid: 1000, pid: 7, process: 'nc' } },
  tcp_info: { type: 'tcp_info', end: 'local', info: INFO, receive_queue: 1, send_queue: 2 },
  accept_queue: { type: 'accept_queue', length: 3, limit: 2 },
  segment: { type: 'segment', sender: 'local', protocol: 'tcp', interface: 'lo', far: 's2', flags: ['psh', 'ack'], seq_number: 1, ack_number: 2, seq_relative: 1, ack_relative: 1, window: 512, len: 5, offset: 0, pieces: 1, mss: 1448, marks: ['retransmission'], icmp: { type: 3, code: 3 }, frame_len: 71 },
  capture_lost: { type: 'capture_lost', count: 3, total: 9 },
};

describe.each(Object.entries(LANGUAGES))('%s', (language, table) => {
  const say = sayIn(table.words);

  it('says everything the other language says', () => {
    expect(paths(table).sort()).toEqual(paths(en).sort());
  });

  it('leaves no text empty', () => {
    for (const path of paths(table)) {
      const text = path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], table);
      if (typeof text === 'string') expect(text, path).not.toBe('');
    }
  });

  it('has a sentence for every code', () => {
    for (const code of CODES) {
      const text = say(code);
      expect(text.length, code).toBeGreaterThan(2);
      expect(text, code).not.toMatch(/undefined|\[object|_/u);
    }
  });

  it('tells failures apart, with errno and phase', () => {
    const five = (['refused', 'reset', 'timed_out', 'unreachable', 'denied', 'name_not_found', 'address_in_use'] as const).map((code) => say(code, { errno: 'EX', phase: 'connect', rule: 'r1' }));
    expect(new Set(five).size).toBe(7);
    for (const text of five) expect(text).toContain('EX');
    expect(say('denied', { rule: 'never-metadata' })).toContain('never-metadata');
  });

  it('has a name and a sentence for every practice peer', () => {
    for (const peer of Object.keys(PEERS) as PeerKind[]) expect(table.words.peers[peer].says.length).toBeGreaterThan(3);
  });

  it('has a sentence for every kind of fact', () => {
    for (const fact of Object.values(FACTS)) {
      const text = sentenceIn(table.words, events(1, [fact])[0] as LogEvent);
      expect(text.length, fact.type).toBeGreaterThan(2);
      expect(text, fact.type).not.toMatch(/undefined|NaN|\[object/u);
    }
  });

  it('names every field of every fact', () => {
    const names = new Set(Object.values(FACTS).flatMap((fact) => Object.keys(fact)));
    for (const name of names) expect(table.detail.fieldNames[name], name).toBeTruthy();
  });

  it('says how much a bridge passed on, each way that anything went', () => {
    const said = (sent_bytes: number, sent_calls: number, received_bytes: number, received_calls: number): string =>
      sentenceIn(table.words, events(1, [{ type: 'relayed', sent_bytes, sent_calls, received_bytes, received_calls }])[0] as LogEvent);
    expect(said(1_200_000, 47, 3_000_000, 51)).toMatch(/1\.1 MiB.*47.*2\.9 MiB.*51/u);
    expect(said(0, 0, 5, 1).match(/\d+/gu)).toEqual(['5', '1']);
    // The rest of a read whose beginning is an event of its own.
    expect(said(0, 0, 61_440, 0).match(/\d+/gu)).toEqual(['60']);
    expect(sentenceIn(table.words, events(1, [{ ...FACTS.opening, bridge: 'wsproxy' }])[0] as LogEvent)).toContain('wsproxy');
  });

  it('tells who reset a connection', () => {
    const by = (side: 'peer' | 'local'): string => sentenceIn(table.words, events(1, [{ type: 'reset', side }])[0] as LogEvent);
    expect(by('peer')).not.toBe(by('local'));
  });

  it('says what a close left behind, which option failed, and where another address won', () => {
    const said = (fact: Fact): string => sentenceIn(table.words, events(1, [fact])[0] as LogEvent);
    const closed = (unsent_bytes: number, unread_bytes: number): string => said({ type: 'closed', reason: 'closed', counters, unsent_bytes, unread_bytes });
    expect(closed(0, 0)).not.toMatch(/\d/u);
    expect(closed(7, 0)).toContain('7');
    expect(closed(0, 31)).toMatch(/31.*RST/u);
    expect(said({ type: 'failed', code: 'os', phase: 'option', errno: 'EINVAL', option: 'recv_buffer', fatal: false })).toMatch(/recv_buffer.*EINVAL/u);
    expect(said({ type: 'note', code: 'attempt_abandoned', params: { remote: '[::1]:80' } })).toContain('[::1]:80');
    expect(said({ type: 'note', code: 'accepted_unserved', params: { remote: '10.0.0.9:5' } })).toContain('10.0.0.9:5');
    expect(say('wrong_family', { params: { family: 'IPv6' } })).toContain('IPv6');
    expect(say('invalid_option', { params: { option: 'read_size', min: '1', max: '262144' } })).toMatch(/read_size.*1.*262144/u);
  });

  it('names every kind of row', () => {
    for (const kind of KINDS) expect(table.words.kinds[kind], kind).toBeTruthy();
  });

  it('lets nothing hidden or reordering out of names and addresses', () => {
    const hostile = 'a\u202eb\u0000c\u200bd\n<script>';
    const text = sentenceIn(table.words, events(1, [{ type: 'resolved', name: hostile, addresses: [hostile] }])[0] as LogEvent);
    expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text).toContain('<script>');
  });

  it(`is ${language === 'zh' ? 'Chinese' : 'English'} where it speaks`, () => {
    expect(/\p{Script=Han}/u.test(table.timeline.nothing)).toBe(language === 'zh');
  });
});

describe('zh', () => {
  it('repeats English only where it is meant', () => {
    const same = paths(en).filter((path) => {
      const at = (table: object): unknown => path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], table);
      return typeof at(en) === 'string' && at(en) === at(zh);
    });
    // Names of system calls and encodings are the same in every language.
    expect(same.filter((path) => !/^(words\.phases\.|words\.peers\.http|composer\.(ending|placeholder)|detail\.copyBase64|timeline\.columns\.seq)/u.test(path))).toEqual([]);
  });
});
