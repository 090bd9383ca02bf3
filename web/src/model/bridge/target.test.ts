import { describe, expect, it } from 'vitest';
import { keyTarget } from './target';

describe('keyTarget', () => {
  it.each([
    ['tcp://127.0.0.1:5900', { scheme: 'tcp', host: '127.0.0.1', port: 5900, to: undefined }],
    ['  UDP://[::1]:53 ', { scheme: 'udp', host: '[::1]', port: 53, to: undefined, text: 'udp://[::1]:53' }],
    ['tcp://vnc.lab:8000-8099', { scheme: 'tcp', host: 'vnc.lab', port: 8000, to: 8099 }],
    ['tcp://*:443', { host: '*', port: 443 }],
    ['udp://*:*', { scheme: 'udp', host: '*', port: undefined, to: undefined }],
    ['tcp://a:7-7', { port: 7, to: 7 }],
    ['tcp-listen://127.0.0.1:*', { scheme: 'tcp-listen', host: '127.0.0.1', port: undefined }],
    ['udp-bind://[::]:5353', { scheme: 'udp-bind', host: '[::]', port: 5353 }],
    ['tcp-listen://*:*', { scheme: 'tcp-listen', host: '*', port: undefined }],
  ])('reads %j', (line, target) => {
    expect(keyTarget(line)).toMatchObject({ ok: true, target });
  });

  it.each([
    ['127.0.0.1:5900', 'scheme', '127.0.0.1:5900'],
    ['tcp-listen://a:1', 'address', 'a'],
    ['udp-bind://localhost:*', 'address', 'localhost'],
    ['http://a:1', 'scheme', 'http://a:1'],
    ['tcp://a', 'port', ''],
    ['tcp://[::1]', 'port', ''],
    ['tcp://a:', 'port', ''],
    ['tcp://a:0', 'port', '0'],
    ['tcp://a:65536', 'port', '65536'],
    ['tcp://a:1-65536', 'port', '1-65536'],
    ['tcp://a:080', 'port', '080'],
    ['tcp://a:80/x', 'port', '80/x'],
    ['tcp://a:80-', 'port', '80-'],
    ['tcp://a:90-80', 'range', '90-80'],
    ['tcp://::1:80', 'bracket', '::1'],
    ['tcp://:80', 'host', ''],
    ['tcp://*.lab:80', 'host', '*.lab'],
    ['tcp://a b:80', 'host', 'a b'],
  ])('refuses %j: %s', (line, code, found) => {
    expect(keyTarget(line)).toEqual({ ok: false, code, found });
  });
});
