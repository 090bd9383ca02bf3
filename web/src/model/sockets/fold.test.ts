import { describe, expect, it } from 'vitest';
import type { Event, SocketList } from '../../wire/generated';
import { decodePage } from '../log/decode';
import { events, page, socket } from '../fixtures';
import { CLOSED_SOCKETS, ended, Sockets } from './fold';

const EMPTY: SocketList = { epoch: 'e1', head: 0, sockets: [] };

function folded(list: readonly Event[], snapshot: SocketList = EMPTY): Sockets {
  const sockets = new Sockets();
  sockets.snapshot(snapshot);
  sockets.apply(decodePage(page(list)));
  return sockets;
}

const opening = { type: 'opening', target: 'tcp://a:1', role: 'client', options: { nodelay: false } } as const;
const connected = { type: 'connected', local: 'l:1', remote: 'a:1' } as const;
const counters = { sent_bytes: 9, received_bytes: 8, sent_events: 2, received_events: 1, dropped: 0 };

describe('Sockets', () => {
  it('follows a client through its life', () => {
    const life = events(1, [
      opening,
      { type: 'connecting', remote: 'a:1', attempt: 1, of: 1 },
      connected,
      { type: 'sent', len: 3, offset: 0 },
      { type: 'received', len: 4, offset: 0 },
      { type: 'eof', offset: 4 },
      { type: 'shutdown', how: 'write' },
      { type: 'closed', reason: 'both_ended', counters, unsent_bytes: 0, unread_bytes: 0 },
    ]);
    const states = life.map((_, i) => folded(life.slice(0, i + 1)).all.get('s1')?.state);
    expect(states).toEqual(['opening', 'opening', 'open', 'open', 'open', 'half_closed_remote', 'half_closed_remote', 'closed']);
    expect(folded(life.slice(0, 5)).all.get('s1')!.counters).toEqual({ sent_bytes: 3, received_bytes: 4, sent_events: 1, received_events: 1, dropped: 0 });
    expect(folded(life).all.get('s1')).toMatchObject({ counters, closed_seq: 8, local: 'l:1', remote: 'a:1', options: { nodelay: false } });
  });

  it('does not fold again what the snapshot accounts for', () => {
    const list = events(1, [opening, connected, { type: 'sent', len: 3 }, { type: 'sent', len: 5 }]);
    const snapshot = { epoch: 'e1', head: 3, sockets: [socket({ counters: { ...counters, sent_bytes: 3, sent_events: 1 } })] };
    expect(folded(list, snapshot).all.get('s1')!.counters).toMatchObject({ sent_bytes: 8, sent_events: 2 });
  });

  it('folds what came before the snapshot did, and each event once', () => {
    const sockets = new Sockets();
    const list = events(1, [opening, connected, { type: 'received', len: 3 }, { type: 'received', len: 5 }]);
    sockets.apply(decodePage(page(list.slice(0, 3))));
    sockets.apply(decodePage(page(list)));
    expect(sockets.all.size).toBe(0);
    sockets.snapshot({ epoch: 'e1', head: 2, sockets: [socket()] });
    expect(sockets.all.get('s1')!.counters.received_bytes).toBe(8);
  });

  it('lists what a listener accepted as its child', () => {
    const list = [
      ...events(1, [{ type: 'opening', target: 'tcp-listen://:9', role: 'listener', options: {} }, { type: 'bound', local: '0.0.0.0:9', reachable_from_outside: true }, { type: 'listening', local: '0.0.0.0:9', backlog: 5, reachable_from_outside: true }]),
      ...events(4, [{ type: 'accepted', child: 's2', remote: 'c:5' }]),
      ...events(5, [{ type: 'connected', local: '0:9', remote: 'c:5', parent: 's1', socket: 's2' }]),
    ];
    const { all } = folded(list);
    expect(all.get('s1')).toMatchObject({ state: 'listening', local: '0.0.0.0:9', reachable_from_outside: true });
    expect(all.get('s2')).toMatchObject({ state: 'open', role: 'accepted', parent: 's1', remote: 'c:5', opened_seq: 5 });
  });

  it('adds what a bridge passed on to what it recorded, to the byte and to the call', () => {
    const list = events(1, [
      { ...opening, bridge: 'wsproxy' },
      connected,
      { type: 'sent', len: 100, offset: 0 },
      { type: 'received', len: 4096, offset: 0 },
      // The first read went beyond what is recorded: its rest is told here, the call was counted above.
      { type: 'relayed', sent_bytes: 0, sent_calls: 0, received_bytes: 61_440, received_calls: 0 },
      { type: 'relayed', sent_bytes: 1_200_000, sent_calls: 47, received_bytes: 5_000_000_000, received_calls: 51 },
    ]);
    const { bridge, counters: now } = folded(list).all.get('s1')!;
    expect(bridge).toBe('wsproxy');
    expect(now).toEqual({ sent_bytes: 1_200_100, sent_events: 48, received_bytes: 5_000_065_536, received_events: 52, dropped: 0 });
    // The server's list as of any event, and the rest folded on top, comes to the same.
    const snapshot = { epoch: 'e1', head: 5, sockets: [socket({ bridge: 'wsproxy', counters: { sent_bytes: 100, sent_events: 1, received_bytes: 65_536, received_events: 1, dropped: 0 } })] };
    expect(folded(list, snapshot).all.get('s1')!.counters).toEqual(now);
  });

  it('knows a bridge either side of which stands still, and queues nothing for it', () => {
    const list = events(1, [{ ...opening, bridge: 'wisp' }, connected, { type: 'paused', what: 'send', reason: 'peer_not_reading', queued_bytes: 0 }, { type: 'paused', what: 'read', reason: 'client_not_reading' }, { type: 'resumed', what: 'send', after_us: 5 }]);
    const still = folded(list.slice(0, 4));
    expect(still.blocked.size).toBe(0);
    expect(still.all.get('s1')!.queue).toEqual({ bytes: 0, blocked_since_us: 3000 });
    expect(still.paused.get('s1')).toBe('client_not_reading');
    const after = folded(list);
    expect(after.all.get('s1')!.queue).toEqual({ bytes: 0 });
    expect(after.paused.get('s1')).toBe('client_not_reading');
  });

  it('counts the peers of a bound socket, the latest first', () => {
    const { all } = folded(
      events(1, [
        { type: 'opening', target: 'udp-bind://:9', role: 'bound', options: {} },
        { type: 'bound', local: '127.0.0.1:9' },
        { type: 'received', len: 3, from: 'a:1' },
        { type: 'received', len: 4, from: 'b:2' },
        { type: 'sent', len: 5, to: 'a:1' },
      ]),
    );
    expect(all.get('s1')!.state).toBe('open');
    expect(all.get('s1')!.peers).toEqual([
      { address: 'a:1', received_events: 1, received_bytes: 3, sent_events: 1, sent_bytes: 5, last_us: 5000 },
      { address: 'b:2', received_events: 1, received_bytes: 4, sent_events: 0, sent_bytes: 0, last_us: 4000 },
    ]);
  });

  it('knows a peer that does not read, and since when', () => {
    const list = events(1, [opening, connected, { type: 'paused', what: 'send', reason: 'peer_not_reading', queued_bytes: 70, took_us: 1000 }, { type: 'sent', len: 30 }, { type: 'resumed', what: 'send', after_us: 5 }]);
    const sockets = folded(list.slice(0, 3));
    expect(sockets.all.get('s1')!.queue).toEqual({ bytes: 70, blocked_since_us: 2000 });
    expect([...sockets.blocked]).toEqual(['s1']);
    sockets.setQueue('s1', { bytes: 99, blocked_since_us: 2000 });
    expect(sockets.all.get('s1')!.queue).toEqual({ bytes: 99, blocked_since_us: 2000 });
    const after = folded(list);
    expect(after.all.get('s1')!.queue).toEqual({ bytes: 40 });
    expect(after.blocked.size).toBe(0);
    // An answer that was on its way when bytes began to flow is out of date.
    after.setQueue('s1', { bytes: 70, blocked_since_us: 3000 });
    expect(after.all.get('s1')!.queue).toEqual({ bytes: 40 });
  });

  it('is closing while bytes wait that somebody closed it over, and counts them down', () => {
    const list = events(1, [opening, connected, { type: 'paused', what: 'send', reason: 'peer_not_reading', queued_bytes: 70 }, { type: 'closing', queued_bytes: 90 }, { type: 'sent', len: 40 }, { type: 'resumed', what: 'send', after_us: 5 }, { type: 'closed', reason: 'closed', counters, unsent_bytes: 50, unread_bytes: 0 }]);
    const after = (count: number) => folded(list.slice(0, count)).all.get('s1')!;
    expect(after(4)).toMatchObject({ state: 'closing', queue: { bytes: 90, blocked_since_us: 3000 } });
    expect(after(5).queue).toEqual({ bytes: 50, blocked_since_us: 5000 });
    expect(after(6)).toMatchObject({ state: 'closing', queue: { bytes: 50 } });
    expect(after(6).queue.blocked_since_us).toBeUndefined();
    expect(after(7)).toMatchObject({ state: 'closed', queue: { bytes: 0 } });
  });

  it('takes nothing into account after the end but a name', () => {
    const list = events(1, [opening, connected, { type: 'closed', reason: 'closed', counters, unsent_bytes: 0, unread_bytes: 0 }, { type: 'sent', len: 5 }, { type: 'eof', offset: 0 }, { type: 'note', code: 'renamed', params: { name: 'late' } }]);
    expect(folded(list).all.get('s1')).toMatchObject({ state: 'closed', closed_seq: 3, counters, name: 'late' });
  });

  it('is over with a failure to open, and only with its close when it was open', () => {
    const failed = (phase: 'connect' | 'send') => ({ type: 'failed', code: 'os', phase, fatal: true }) as const;
    expect(folded(events(1, [opening, failed('connect')])).all.get('s1')).toMatchObject({ state: 'failed', closed_seq: 2 });
    const open = events(1, [opening, connected, failed('send'), { type: 'closed', reason: 'was_failed', counters, unsent_bytes: 0, unread_bytes: 0 }]);
    expect(folded(open.slice(0, 3)).all.get('s1')).toMatchObject({ state: 'failed', closed_seq: null });
    expect(folded(open).all.get('s1')).toMatchObject({ state: 'failed', closed_seq: 4 });
  });

  it('hands the options of a listener down, and keeps to those asked for while it opens', () => {
    const { all } = folded([
      ...events(1, [{ type: 'opening', target: 'tcp-listen://:9', role: 'listener', options: { backlog: 5, read_size: 7 } }, { type: 'option_set', option: 'reuse_addr', asked: 1, granted: 1 }, { type: 'listening', local: '0:9', backlog: 5 }]),
      ...events(4, [{ type: 'connected', local: '0:9', remote: 'c:5', parent: 's1', socket: 's2' }, { type: 'option_set', option: 'keepalive', asked: 1, granted: 1, socket: 's2' }]),
    ]);
    expect(all.get('s1')!.options).toEqual({ backlog: 5, read_size: 7 });
    expect(all.get('s2')).toMatchObject({ target: 'tcp-listen://:9', options: { read_size: 7, keepalive: true } });
  });

  it('keeps a failure as a failure, with its reason', () => {
    const sockets = folded(
      events(1, [
        opening,
        { type: 'failed', code: 'refused', phase: 'connect', errno: 'ECONNREFUSED', remote: 'a:1', fatal: false },
        { type: 'failed', code: 'refused', phase: 'connect', errno: 'ECONNREFUSED', remote: 'a:2', fatal: true },
        { type: 'closed', reason: 'was_failed', counters, unsent_bytes: 0, unread_bytes: 0 },
      ]),
    );
    expect(sockets.all.get('s1')!.state).toBe('failed');
    expect(sockets.failures.get('s1')).toMatchObject({ remote: 'a:2' });
  });

  it('renames, removes, sets options, counts what was lost', () => {
    const list = events(1, [
      opening,
      connected,
      { type: 'note', code: 'renamed', params: { name: 'my socket' } },
      { type: 'option_set', option: 'keepalive', asked: 1, granted: 1 },
      { type: 'option_set', option: 'recv_buffer', asked: 4096, granted: 8192 },
      { type: 'dropped', count: 3, total: 7, reason: 'kernel_buffer_full' },
      { type: 'paused', what: 'read', reason: 'log_full' },
      { type: 'note', code: 'renamed', params: { name: '' } },
      { type: 'note', code: 'removed' },
    ]);
    const sockets = folded(list.slice(0, 7));
    expect(sockets.all.get('s1')).toMatchObject({ name: 'my socket', options: { keepalive: true, recv_buffer: 4096 }, counters: { dropped: 7 } });
    expect(sockets.paused.get('s1')).toBe('log_full');
    expect(folded(list.slice(0, 8)).all.get('s1')!.name).toBeNull();
    expect(folded(list).all.size).toBe(0);
  });

  it('remembers which sockets belong to practice peers, also after they are gone', () => {
    const sockets = folded([
      ...events(1, [{ type: 'opening', target: 'tcp-listen://:0', role: 'listener', practice: 'echo', options: {} }, { type: 'note', code: 'removed' }]),
      ...events(3, [{ type: 'connected', local: 'a', remote: 'b', practice: 'echo', socket: 's7' }]),
    ]);
    expect([...sockets.practice]).toEqual([1, 7]);
  });

  it('forgets the oldest closed sockets', () => {
    const facts = Array.from({ length: CLOSED_SOCKETS + 5 }, (_, i) => [
      { ...opening, socket: `s${String(i + 1)}` },
      { type: 'closed', reason: 'closed', counters, unsent_bytes: 0, unread_bytes: 0, socket: `s${String(i + 1)}` } as const,
    ]).flat();
    const { all } = folded(events(1, facts));
    expect([...all.values()].filter(ended)).toHaveLength(CLOSED_SOCKETS);
    expect(all.has('s5')).toBe(false);
    expect(all.has('s6')).toBe(true);
  });
});
