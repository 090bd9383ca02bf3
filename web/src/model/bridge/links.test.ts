import { describe, expect, it } from 'vitest';
import { keyLinks } from './links';

const PAGE = { protocol: 'http:', host: '127.0.0.1:7625' };

describe('keyLinks', () => {
  it('goes to the first target, on the server the page is of', () => {
    expect(keyLinks(PAGE, 'S', ['tcp://127.0.0.1:5900', 'udp://a:1'])).toEqual({ wsproxy: 'ws://127.0.0.1:7625/k/S/bridge/tcp/127.0.0.1/5900', wisp: 'ws://127.0.0.1:7625/k/S/wisp/', blanks: [] });
    expect(keyLinks({ protocol: 'https:', host: 'scope.example' }, 'S', ['udp://dns.lab:53'])).toMatchObject({ wsproxy: 'wss://scope.example/k/S/bridge/udp/dns.lab/53', wisp: 'wss://scope.example/k/S/wisp/' });
  });

  it('leaves out what the key leaves open, and takes the first port of a range', () => {
    expect(keyLinks(PAGE, 'S', ['tcp://*:*'])).toMatchObject({ wsproxy: 'ws://127.0.0.1:7625/k/S/bridge/tcp/HOST/PORT', blanks: ['HOST', 'PORT'] });
    expect(keyLinks(PAGE, 'S', ['tcp://a:8000-8099'])).toMatchObject({ wsproxy: 'ws://127.0.0.1:7625/k/S/bridge/tcp/a/8000', blanks: [] });
  });

  it('writes IPv6 in brackets, its zone and names in other scripts as a path can have them', () => {
    expect(keyLinks(PAGE, 'S', ['tcp://[fe80::1%eth0]:22']).wsproxy).toBe('ws://127.0.0.1:7625/k/S/bridge/tcp/[fe80::1%25eth0]/22');
    expect(keyLinks(PAGE, 'S', ['tcp://bücher.example:80']).wsproxy).toContain('/tcp/b%C3%BCcher.example/80');
  });
});
