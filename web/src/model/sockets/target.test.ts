import { describe, expect, it } from 'vitest';
import { parseTarget } from './target';

describe('parseTarget', () => {
  it.each([
    ['tcp://example.com:80', 'tcp', 'example.com', 80, 'tcp://example.com:80'],
    ['  TCP://127.0.0.1:7  ', 'tcp', '127.0.0.1', 7, 'tcp://127.0.0.1:7'],
    ['tcp://[::1]:80', 'tcp', '[::1]', 80, 'tcp://[::1]:80'],
    ['udp://[fe80::1%eth0]:53', 'udp', '[fe80::1%eth0]', 53, 'udp://[fe80::1%eth0]:53'],
    ['tcp-listen://:0', 'tcp-listen', '', 0, 'tcp-listen://:0'],
    ['udp-bind://0.0.0.0:9000', 'udp-bind', '0.0.0.0', 9000, 'udp-bind://0.0.0.0:9000'],
    ['tcp://bücher.example:80', 'tcp', 'bücher.example', 80, 'tcp://bücher.example:80'],
    ['example.com:443', 'tcp', 'example.com', 443, 'tcp://example.com:443'],
    [':9000', 'tcp-listen', '', 9000, 'tcp-listen://:9000'],
  ])('understands %s', (input, scheme, host, port, target) => {
    expect(parseTarget(input)).toMatchObject({ ok: true, scheme, host, port, target });
  });

  it('says that it guessed the kind', () => {
    expect(parseTarget('a:1')).toMatchObject({ guessed: true });
    expect(parseTarget('tcp://a:1')).toMatchObject({ guessed: false });
  });

  it.each([
    ['', 'empty', 0],
    ['   ', 'empty', 0],
    ['http://a:1', 'scheme', 0],
    ['tcp://a b:1', 'space', 7],
    ['tcp://:80', 'no_host', 6],
    ['tcp://a', 'no_port', 7],
    ['a:', 'no_port', 2],
    ['tcp://a:99999', 'port', 8],
    ['tcp://a:-1', 'port', 8],
    ['tcp://a:0x50', 'port', 8],
    ['tcp://a:0', 'port_zero', 8],
    ['tcp://::1:80', 'bracket', 6],
    ['tcp://[::1:80', 'bracket', 6],
    ['tcp://[::1]80', 'no_port', 11],
    ['tcp://[zz]:80', 'host', 7],
    ['tcp://a:80/path', 'rest', 10],
    ['tcp://user@a:80', 'rest', 10],
    ['tcp://a..b:80', 'host', 6],
  ])('says what is wrong with %j, and where', (input, code, at) => {
    expect(parseTarget(input)).toMatchObject({ ok: false, code, at });
  });
});
