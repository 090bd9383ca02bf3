import { describe, expect, it } from 'vitest';
import type { Socket } from '../../wire/generated';
import { testSocket } from './fixtures';
import { address, findPeers, PEERS_DRAWN, sameAddress } from './peers';

const workspace = (...sockets: Socket[]): Map<string, Socket> => new Map(sockets.map((socket) => [socket.id, socket]));
const peersOf = (socket: Socket, ...others: Socket[]): string[] => findPeers(socket, workspace(socket, ...others)).map((peer) => peer.socket.id);

describe('address', () => {
  it('takes addresses apart, whatever family', () => {
    expect(address('127.0.0.1:80')).toEqual({ host: '127.0.0.1', port: '80' });
    expect(address('[::1]:80')).toEqual({ host: '::1', port: '80' });
    expect(address('[fe80::1%eth0]:80')).toEqual({ host: 'fe80::1%eth0', port: '80' });
    expect(address('unix:/tmp/a:b')).toBeUndefined();
    expect(address('nothing')).toBeUndefined();
  });

  it('knows a mapped address for the IPv4 address it is', () => {
    for (const mapped of ['[::ffff:127.0.0.1]:80', '[::FFFF:127.0.0.1]:80', '[::ffff:7f00:1]:80']) {
      expect(sameAddress(mapped, '127.0.0.1:80'), mapped).toBe(true);
    }
    expect(sameAddress('[::ffff:c0a8:1fe]:80', '192.168.1.254:80')).toBe(true);
    expect(sameAddress('[::1]:80', '127.0.0.1:80')).toBe(false);
    expect(sameAddress('127.0.0.1:80', '127.0.0.1:81')).toBe(false);
    expect(sameAddress('[fe80::1%eth0]:80', '[fe80::1%eth1]:80')).toBe(false);
    expect(sameAddress('unix:/a', 'unix:/a')).toBe(true);
  });
});

describe('the peer of a stream', () => {
  const client = testSocket('s3', { local: '127.0.0.1:4000', remote: '127.0.0.1:7', opened_seq: 30 });
  const swapped = { role: 'accepted', local: '127.0.0.1:7', remote: '127.0.0.1:4000' } as const;

  it('has our two addresses swapped', () => {
    const listener = testSocket('s1', { role: 'listener', local: '127.0.0.1:7' });
    const other = testSocket('s4', { ...swapped, remote: '127.0.0.1:4001' });
    const accepted = testSocket('s5', swapped);
    expect(peersOf(client, listener, other, accepted)).toEqual(['s5']);
    expect(peersOf(accepted, listener, other, client)).toEqual(['s3']);
    expect(peersOf(client, listener, other)).toEqual([]);
  });

  it('is found across mapped addresses, and never among datagram sockets', () => {
    expect(peersOf(client, testSocket('s5', { ...swapped, local: '[::ffff:127.0.0.1]:7', remote: '[::ffff:127.0.0.1]:4000' }))).toEqual(['s5']);
    expect(peersOf(client, testSocket('s5', { ...swapped, role: 'connected' }))).toEqual([]);
  });

  it('is the one of its own time where ports were used again', () => {
    const older = testSocket('s2', { ...swapped, opened_seq: 3 });
    const ours = testSocket('s4', { ...swapped, opened_seq: 31 });
    const newer = testSocket('s9', { ...swapped, opened_seq: 90 });
    expect(peersOf(client, older, ours, newer)).toEqual(['s4']);
  });

  it('is nobody while there is no connection', () => {
    expect(peersOf(testSocket('s3', { local: '127.0.0.1:4000' }), testSocket('s4', swapped))).toEqual([]);
    expect(peersOf(testSocket('s3'), testSocket('s4', swapped))).toEqual([]);
    expect(peersOf(testSocket('s3', { role: 'listener', local: '127.0.0.1:7' }), testSocket('s4', swapped))).toEqual([]);
  });
});

describe('the peers of a datagram socket', () => {
  const connected = testSocket('s1', { role: 'connected', local: '127.0.0.1:4000', remote: '127.0.0.1:9000' });
  const seen = (address: string) => ({ address, received_events: 1, received_bytes: 1, sent_events: 0, sent_bytes: 0, last_us: 1 });

  it('are found by the address they are bound to', () => {
    const bound = testSocket('s2', { role: 'bound', local: '127.0.0.1:9000' });
    expect(findPeers(connected, workspace(connected, bound))).toEqual([{ socket: bound, only: '127.0.0.1:4000' }]);
    expect(findPeers(bound, workspace(connected, bound))).toEqual([{ socket: connected }]);
  });

  it('may stand behind a wildcard, if the address is this machine’s', () => {
    const any = testSocket('s2', { role: 'bound', local: '0.0.0.0:9000' });
    const both = testSocket('s3', { role: 'bound', local: '[::]:9000' });
    expect(peersOf(connected, any)).toEqual(['s2']);
    expect(peersOf(connected, both)).toEqual(['s3']);
    expect(peersOf(testSocket('s1', { ...connected, remote: '8.8.8.8:9000', local: '10.0.0.2:4000' }), any, both)).toEqual([]);
    expect(peersOf(testSocket('s1', { ...connected, remote: '10.0.0.2:9000', local: '10.0.0.2:4000' }), any)).toEqual(['s2']);
    expect(peersOf(testSocket('s1', { ...connected, remote: '[::1]:9000', local: '[::1]:4000' }), any)).toEqual([]);
  });

  it('of two connected ones, each must be the other’s', () => {
    const mutual = testSocket('s2', { role: 'connected', local: '127.0.0.1:9000', remote: '127.0.0.1:4000' });
    const deaf = testSocket('s3', { role: 'connected', local: '127.0.0.1:9000', remote: '127.0.0.1:5000' });
    expect(peersOf(connected, mutual)).toEqual(['s2']);
    expect(peersOf(connected, deaf)).toEqual([]);
  });

  it('of two unconnected ones, one must have heard the other', () => {
    const a = testSocket('s1', { role: 'bound', local: '127.0.0.1:4000' });
    const b = testSocket('s2', { role: 'bound', local: '127.0.0.1:9000' });
    expect(peersOf(a, b)).toEqual([]);
    const heard = testSocket('s2', { ...b, peers: [seen('127.0.0.1:4000')] });
    expect(findPeers(a, workspace(a, heard))).toEqual([{ socket: heard, only: '127.0.0.1:4000' }]);
    expect(peersOf(heard, a)).toEqual(['s1']);
  });

  it('are at most as many as are drawn', () => {
    const bound = testSocket('s1', { role: 'bound', local: '127.0.0.1:9000' });
    const many = Array.from({ length: 40 }, (_, i) =>
      testSocket(`s${String(i + 2)}`, { role: 'connected', local: `127.0.0.1:${String(4000 + i)}`, remote: '127.0.0.1:9000', opened_seq: i }),
    );
    expect(peersOf(bound, ...many)).toHaveLength(PEERS_DRAWN);
  });
});
