import { describe, expect, it } from 'vitest';
import { keyLinks } from './links';

const PAGE = { protocol: 'http:', host: '127.0.0.1:7625' };

const wsproxy = (targets: string[]): string | undefined => keyLinks(PAGE, 'S', targets).dialled?.wsproxy;

describe('keyLinks', () => {
  it('goes to the first target, on the server the page is of', () => {
    expect(keyLinks(PAGE, 'S', ['tcp://127.0.0.1:5900', 'udp://a:1'])).toEqual({
      dialled: { wsproxy: 'ws://127.0.0.1:7625/k/S/bridge/tcp/127.0.0.1/5900', wisp: 'ws://127.0.0.1:7625/k/S/wisp/' },
      blanks: [],
      direct: "import { install, TCPSocket } from 'http://127.0.0.1:7625/sdk/direct-sockets.js';\ninstall({ url: 'ws://127.0.0.1:7625/k/S/bridge/sockets' });",
    });
    const secure = keyLinks({ protocol: 'https:', host: 'scope.example' }, 'S', ['udp://dns.lab:53']);
    expect(secure.dialled).toEqual({ wsproxy: 'wss://scope.example/k/S/bridge/udp/dns.lab/53', wisp: 'wss://scope.example/k/S/wisp/' });
    expect(secure.direct).toContain("'https://scope.example/sdk/direct-sockets.js'");
    expect(secure.direct).toContain("'wss://scope.example/k/S/bridge/sockets'");
  });

  it('leaves out what the key leaves open, and takes the first port of a range', () => {
    expect(wsproxy(['tcp://*:*'])).toBe('ws://127.0.0.1:7625/k/S/bridge/tcp/HOST/PORT');
    expect(keyLinks(PAGE, 'S', ['tcp://*:*']).blanks).toEqual(['HOST', 'PORT']);
    expect(wsproxy(['tcp://a:8000-8099'])).toBe('ws://127.0.0.1:7625/k/S/bridge/tcp/a/8000');
  });

  it('goes nowhere where a key only listens', () => {
    expect(wsproxy(['tcp-listen://127.0.0.1:*', 'udp://a:1'])).toBe('ws://127.0.0.1:7625/k/S/bridge/udp/a/1');
    expect(keyLinks(PAGE, 'S', ['udp-bind://*:*']).dialled).toBeUndefined();
  });

  it('writes IPv6 in brackets, its zone and names in other scripts as a path can have them', () => {
    expect(wsproxy(['tcp://[fe80::1%eth0]:22'])).toBe('ws://127.0.0.1:7625/k/S/bridge/tcp/[fe80::1%25eth0]/22');
    expect(wsproxy(['tcp://bücher.example:80'])).toContain('/tcp/b%C3%BCcher.example/80');
  });
});
