import { describe, expect, it } from 'vitest';
import { utf8 } from '../fixtures';
import { HEAD_BYTES, type Message, parseRequest, parseResponse, valuesOf } from './http';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const kinds = (message: Message): string[] => message.parts.map((part) => part.kind);
const response = (raw: string, options?: Parameters<typeof parseResponse>[2]) => parseResponse(utf8(raw), 0, options);

/** Every byte from the message's beginning to the end of all belongs to exactly one part. */
function expectGapless(message: Message, from: number, end: number): void {
  let at = from;
  for (const part of message.parts) {
    expect(part.from).toBe(at);
    expect(part.to).toBeGreaterThan(part.from);
    at = part.to;
  }
  expect(at).toBe(end);
}

const PLAIN = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1A;note="x"\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Sum: 7\r\n\r\n';

describe('a response', () => {
  it('with a length ends where it says', () => {
    const read = response(`${PLAIN}HTTP/1.1 404`);
    expect(read).toMatchObject({ state: 'complete', status: 200, reason: 'OK', version: 'HTTP/1.1', framing: 'length', end: PLAIN.length, keeps: true });
    expect(read.headers).toEqual([['Content-Type', 'text/plain'], ['Content-Length', '5']]);
    expect(text(read.body)).toBe('hello');
    expect(kinds(read)).toEqual(['start', 'header', 'header', 'blank', 'body']);
  });

  it('in chunks is put together, its sizes, extensions and trailers told apart', () => {
    const read = response(CHUNKED);
    expect(read).toMatchObject({ state: 'complete', framing: 'chunked', end: CHUNKED.length });
    expect(text(read.body)).toBe('helloabcdefghijklmnopqrstuvwxyz');
    expect(kinds(read)).toEqual(['start', 'header', 'blank', 'chunk_size', 'chunk', 'chunk_end', 'chunk_size', 'chunk', 'chunk_end', 'last_chunk', 'trailer', 'blank']);
    expect(read.parts.filter((part) => part.kind === 'chunk_size').map((part) => part.size)).toEqual([5, 26]);
    expectGapless(read, 0, CHUNKED.length);
  });

  it('without either ends when the connection does', () => {
    const raw = 'HTTP/1.0 200 OK\r\n\r\nas long as it lasts';
    expect(response(raw)).toMatchObject({ state: 'body', framing: 'close', keeps: false });
    expect(response(raw, { ended: true })).toMatchObject({ state: 'complete', end: raw.length });
  });

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n'],
    ['head', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('to %s has no body where it can have none: %j', (method, raw) => {
    expect(response(raw, { method })).toMatchObject({ state: 'complete', framing: 'none', end: raw.length });
  });

  it('may come after interim ones', () => {
    const read = response(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${PLAIN}`);
    expect(read).toMatchObject({ state: 'complete', status: 200 });
    expect(kinds(read).slice(0, 4)).toEqual(['start', 'header', 'blank', 'start']);
    expect(response('HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00')).toMatchObject({ state: 'complete', status: 101, end: 36 });
  });

  it.each([
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', true],
    ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.1 200 OK\r\nConnection: Upgrade, Close\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n', true],
  ])('says whether the connection is kept: %j', (raw, keeps) => {
    expect(response(raw).keeps).toBe(keeps);
  });

  it('may end its lines with a bare LF, fold a header and give no reason', () => {
    const read = response('HTTP/1.1 200\nX: a\n\tb\nContent-Length: 2\n\nok');
    expect(read).toMatchObject({ state: 'complete', status: 200, reason: '' });
    expect(read.headers[0]).toEqual(['X', 'a b']);
  });

  it('believes chunks before a length', () => {
    expect(response('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n0\r\n\r\n')).toMatchObject({ state: 'complete', framing: 'chunked' });
    expect(response('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: gzip\r\n\r\nx').framing).toBe('close');
  });

  it.each([
    ['length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx'],
    ['length', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'],
    ['length', 'HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\nx'],
    ['no_start', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['no_start', 'HTTP/2 200\r\n\r\n'],
    ['no_start', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['chunk_size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n'],
    ['chunk_size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n'],
    ['chunk_size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\nhello'],
    ['chunk_end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n'],
    ['long_head', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(HEAD_BYTES)}`],
    ['long_head', `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(HEAD_BYTES / 25 + 1)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`],
  ])('that is none is said to be none: %s', (bad, raw) => {
    const read = response(raw);
    expect(read).toMatchObject({ state: 'bad', bad });
    expectGapless(read, 0, raw.length);
  });

  it('takes the same length said twice for one', () => {
    expect(response('HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\ncontent-length: 2\r\n\r\nok').state).toBe('complete');
  });

  it.each([PLAIN, CHUNKED])('is read alike however it is cut: %j', (raw) => {
    const bytes = utf8(raw);
    for (let length = 0; length < bytes.length; length += 1) {
      const read = parseResponse(bytes.subarray(0, length));
      expect(['head', 'body'], String(length)).toContain(read.state);
      expectGapless(read, 0, length);
    }
    expect(parseResponse(bytes).state).toBe('complete');
  });

  it('is found where it begins', () => {
    const read = parseResponse(utf8(PLAIN + CHUNKED), PLAIN.length);
    expect(read).toMatchObject({ state: 'complete', framing: 'chunked', end: PLAIN.length + CHUNKED.length });
    expectGapless(read, PLAIN.length, PLAIN.length + CHUNKED.length);
  });

  it('never throws, whatever the bytes are, and loses none of them', () => {
    let seed = 42;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    const words = ['HTTP/1.1 200 OK', '\r\n', '\n', 'Transfer-Encoding: chunked', 'Content-Length: ', '7', 'ff', '\r', ':', '0\r\n', '\0\u00ff\u202e', 'HTTP/1.1 100 Continue\r\n\r\n', ' \t', ';'];
    for (let round = 0; round < 3000; round += 1) {
      const bytes = utf8(Array.from({ length: random(32) }, () => words[random(words.length)]!).join(''));
      for (const message of [parseResponse(bytes, 0, { ended: random(2) === 0 }), parseRequest(bytes)]) {
        expectGapless(message, 0, message.end);
        if (message.state !== 'complete') expect(message.end).toBe(bytes.length);
      }
    }
  });

  it('takes no long time for thousands of interim answers and tiny chunks', () => {
    const began = performance.now();
    const interim = response('HTTP/1.1 100 \r\n\r\n'.repeat(20_000));
    const tiny = response(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(60_000)}0\r\n\r\n`);
    expect(interim).toMatchObject({ state: 'bad', bad: 'long_head' });
    expect(tiny.body).toHaveLength(60_000);
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

describe('a request', () => {
  it('ends with its head, its length or its last chunk', () => {
    expect(parseRequest(utf8('GET / HTTP/1.1\r\nHost: x\r\n\r\nGET'))).toMatchObject({ state: 'complete', start: 'GET / HTTP/1.1', end: 27 });
    expect(text(parseRequest(utf8('POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nokGET')).body)).toBe('ok');
    expect(text(parseRequest(utf8('POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n')).body)).toBe('ok');
    expect(parseRequest(utf8('GET / HTTP/1.1\r\nHost: x\r\n')).state).toBe('head');
    expect(parseRequest(utf8('POST / HTTP/1.1\r\nContent-Length: x\r\n\r\nok'))).toMatchObject({ state: 'bad', bad: 'length' });
  });
});

describe('values of a header', () => {
  it('are those of all its lines', () => {
    expect(valuesOf([['Connection', 'a, b'], ['X', 'c'], ['connection', 'd']], 'connection')).toEqual(['a', 'b', 'd']);
  });
});
