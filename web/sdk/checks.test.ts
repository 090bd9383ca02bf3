import { describe, expect, it } from 'vitest';
import { address, datagram, familyOf, server, tcp, udp } from './checks.js';

describe('TCPSocket', () => {
  it('asks for what was given, and noDelay is off unless it is', () => {
    expect(tcp(['a.example', 80])).toEqual({ kind: 'tcp', host: 'a.example', port: 80, noDelay: false });
    expect(tcp(['::1', '443', { noDelay: 1, keepAliveDelay: 1000, sendBufferSize: 1, receiveBufferSize: 2.9, dnsQueryType: 'ipv6' }])).toEqual({ kind: 'tcp', host: '::1', port: 443, noDelay: true, keepAliveDelay: 1000, sendBufferSize: 1, receiveBufferSize: 2, dnsQueryType: 'ipv6' });
  });

  it.each([[], ['a'], ['a', -1], ['a', 65_536], ['a', NaN], ['a', 1n], ['a', 1, 7], ['a', 1, { keepAliveDelay: 999 }], ['a', 1, { sendBufferSize: 0 }], ['a', 1, { receiveBufferSize: 0 }], ['a', 1, { receiveBufferSize: 2 ** 32 }], ['a', 1, { dnsQueryType: 'ipv5' }], [Symbol('a'), 1]].map((args) => ({ args })))('throws a TypeError of $args', ({ args }) => {
    expect(() => tcp(args)).toThrow(TypeError);
  });
});

describe('UDPSocket', () => {
  it('is connected or bound', () => {
    expect(udp([{ remoteAddress: 'a', remotePort: 53, dnsQueryType: 'ipv4' }])).toEqual({ kind: 'udp', host: 'a', port: 53, dnsQueryType: 'ipv4' });
    expect(udp([{ localAddress: '127.0.0.1' }])).toEqual({ kind: 'udp-bind', host: '127.0.0.1' });
    expect(udp([{ localAddress: '::', localPort: 5353, ipv6Only: true }])).toEqual({ kind: 'udp-bind', host: '::', port: 5353, ipv6Only: true });
  });

  it.each([
    {},
    { remoteAddress: 'a' },
    { remotePort: 1 },
    { localPort: 1 },
    { localAddress: '127.0.0.1', localPort: 0 },
    { localAddress: 'localhost' },
    { localAddress: '127.0.0.1', remoteAddress: 'a', remotePort: 1 },
    { localAddress: '127.0.0.1', remotePort: 1 },
    { remoteAddress: 'a', remotePort: 1, localPort: 1 },
    { remoteAddress: 'a', remotePort: 1, ipv6Only: true },
    { localAddress: '127.0.0.1', dnsQueryType: 'ipv4' },
    { localAddress: '127.0.0.1', ipv6Only: true },
    { localAddress: '::1', ipv6Only: false },
    { localAddress: '::', sendBufferSize: 0 },
  ])('throws a TypeError of %j', (options) => {
    expect(() => udp([options])).toThrow(TypeError);
  });

  it('takes messages with an address where it has no peer, and without where it has one', () => {
    const data = new Uint8Array([1]);
    expect(datagram({ data }, true).to).toBeUndefined();
    expect(datagram({ data, remoteAddress: 'a', remotePort: 1 }, false).to).toEqual({ host: 'a', port: 1, family: undefined });
    for (const wrong of [{}, { data: 'text' }, { data, remoteAddress: 'a' }, { data, remoteAddress: 'a', remotePort: 1 }]) expect(() => datagram(wrong, true)).toThrow(TypeError);
    for (const wrong of [{ data }, { data, remoteAddress: 'a' }, { data, remotePort: 1 }, { data, remoteAddress: 'a', remotePort: 0 }]) expect(() => datagram(wrong, false)).toThrow(TypeError);
  });
});

describe('TCPServerSocket', () => {
  it('listens on an address', () => {
    expect(server(['127.0.0.1'])).toEqual({ kind: 'listen', host: '127.0.0.1' });
    expect(server(['0:0::0', { localPort: 40_000, backlog: 100_000, ipv6Only: true }])).toEqual({ kind: 'listen', host: '0:0::0', port: 40_000, backlog: 65_535, ipv6Only: true });
  });

  it.each([[], ['localhost'], ['127.1'], ['127.0.0.1', { localPort: 0 }], ['127.0.0.1', { backlog: 0 }], ['127.0.0.1', { ipv6Only: true }]].map((args) => ({ args })))('throws a TypeError of $args', ({ args }) => {
    expect(() => server(args)).toThrow(TypeError);
  });
});

it.each([
  ['127.0.0.1', 'ipv4'],
  ['::', 'ipv6'],
  ['fe80::1%eth0', 'ipv6'],
  ['::ffff:1.2.3.4', 'ipv6'],
  ['127.0.0.01', undefined],
  ['256.0.0.1', undefined],
  ['2130706433', undefined],
  ['a.example', undefined],
  [':::', undefined],
  ['', undefined],
] as const)('familyOf(%j) is %j', (host, family) => {
  expect(familyOf(host)).toBe(family);
});

it('connect() reads host:port', () => {
  expect(address('a.example:80')).toEqual({ host: 'a.example', port: 80 });
  expect(address('[::1]:80')).toEqual({ host: '::1', port: 80 });
  expect(address({ hostname: '::1', port: 80 })).toEqual({ host: '::1', port: 80 });
  for (const wrong of ['a', ':80', '::1:80', 'a:99999', {}, { hostname: 'a' }, 7]) expect(() => address(wrong)).toThrow(TypeError);
});
