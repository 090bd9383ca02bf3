import { describe, expect, it } from 'vitest';
import type { Event, Fact } from '../../wire/generated';
import { encodeBase64 } from '../bytes/base64';
import { utf8 } from '../fixtures';
import { readHeaders, readUrl } from './ask';
import { asTyped, typedBytes } from './byHand';
import { compare, type Side } from './compare';
import { parseResponse } from './http';
import { MOST_BYTES, Talk } from './talk';

const bytesOf = (text: string): Uint8Array => {
  const read = typedBytes(text);
  if (!read.ok) throw new Error(read.code);
  return read.bytes;
};

describe('a request by hand', () => {
  it('shows every line end, and gives the same bytes back', () => {
    const request = utf8('GET / HTTP/1.1\r\nHost: x\r\n\r\nbody\nmore');
    expect(asTyped(request)).toBe('GET / HTTP/1.1\\r\\n\nHost: x\\r\\n\n\\r\\n\nbody\\n\nmore');
    expect(bytesOf(asTyped(request))).toEqual(request);
  });

  it('gives any bytes back', () => {
    const all = Uint8Array.from({ length: 512 }, (_, i) => (i * 7) % 256);
    expect(bytesOf(asTyped(all))).toEqual(all);
    expect(bytesOf(asTyped(utf8('a\\n\nb\\\\n\n')))).toEqual(utf8('a\\n\nb\\\\n\n'));
    expect(bytesOf(asTyped(new Uint8Array()))).toEqual(new Uint8Array());
  });

  it('takes Enter for CRLF where no line end was written out', () => {
    expect(bytesOf('GET / HTTP/1.1\nHost: x\n\n')).toEqual(utf8('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
    expect(bytesOf('a\\n\nb\r\nc')).toEqual(utf8('a\nb\r\nc'));
    // A backslash that is itself escaped makes no line end.
    expect(bytesOf('a\\\\n\nb')).toEqual(utf8('a\\n\r\nb'));
  });

  it('says what is wrong with an escape', () => {
    expect(typedBytes('GET \\q')).toMatchObject({ ok: false, code: 'unknown_escape' });
  });
});

describe('two messages side by side', () => {
  const side = (raw: string): Side => ({ bytes: utf8(raw), message: parseResponse(utf8(raw)) });
  const answer = (headers: string, body = 'hello') => side(`HTTP/1.1 200 OK\r\n${headers}Content-Length: ${String(body.length)}\r\n\r\n${body}`);

  it('are the same when every byte is', () => {
    expect(compare(answer(''), answer(''))).toEqual({ identical: true, left: 43, right: 43, at: undefined, differences: [] });
  });

  it('differ in the headers that name the moment, and this is no surprise', () => {
    const found = compare(answer('Date: Mon\r\n'), answer('Date: Tue\r\n'));
    expect(found).toMatchObject({ identical: false, at: 23 });
    expect(found.differences).toEqual([{ what: 'header', name: 'date', left: 'Mon', right: 'Tue', expected: 'moment' }]);
  });

  it('differ in what only one has, in start lines and in bodies, and nobody expects that', () => {
    const found = compare(answer('X-A: 1\r\nX-A: 2\r\n'), side('HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhellO'));
    expect(found.differences).toEqual([
      { what: 'start', name: '', left: 'HTTP/1.1 200 OK', right: 'HTTP/1.1 404 Not Found', expected: undefined },
      { what: 'header', name: 'x-a', left: '1, 2', right: undefined, expected: undefined },
      { what: 'body', name: '', left: '5', right: '5', expected: undefined },
    ]);
  });

  it('may hold the same body cut into other chunks', () => {
    const cut = (chunks: string) => side(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
    expect(compare(cut('2\r\nhe\r\n3\r\nllo\r\n'), cut('5\r\nhello\r\n')).differences).toEqual([{ what: 'framing', name: '', left: '2 + 3', right: '5', expected: undefined }]);
  });

  it.each([
    ['a header’s name', 'Host: x\r\n', 'HOST: x\r\n', ['header', 'host', 'Host: x\\r\\n', 'HOST: x\\r\\n']],
    ['spaces', 'Host: x\r\n', 'Host:x \r\n', ['header', 'host', 'Host: x\\r\\n', 'Host:x \\r\\n']],
    ['a line end', 'Host: x\r\n', 'Host: x\n', ['header', 'host', 'Host: x\\r\\n', 'Host: x\\n']],
    ['a folded line', 'Host: x y\r\n', 'Host: x\r\n y\r\n', ['header', 'host', 'Host: x y\\r\\n', 'Host: x\\r\\n y\\r\\n']],
    ['order', 'A: 1\r\nB: 2\r\n', 'B: 2\r\nA: 1\r\n', ['order', '', 'a, b, content-length', 'b, a, content-length']],
    ['a name that is not ASCII', '\u00c9: 1\r\n', '\u00c9:  1\r\n', ['header', 'Ã\u0089'.toLowerCase(), '\u00c9: 1\\r\\n', '\u00c9:  1\\r\\n']],
  ] as const)('may differ in no more than how it is written: %s', (_, left, right, [what, name, one, other]) => {
    expect(compare(answer(left), answer(right)).differences).toEqual([{ what, name, left: one, right: other, expected: undefined, spelling: true }]);
  });

  it('say so where only first lines, empty lines or chunk sizes are written otherwise, and that what stands behind them differs', () => {
    const found = (left: string, right: string) => compare(side(left), side(right)).differences.map(({ what, left: one, right: other, spelling }) => [what, one, other, spelling]);
    expect(found('HTTP/1.1 200 OK\r\n\r\n', 'HTTP/1.1 200 OK\n\r\n')).toEqual([['start', 'HTTP/1.1 200 OK\\r\\n', 'HTTP/1.1 200 OK\\n', true]]);
    expect(found('HTTP/1.1 200 OK\r\n\r\n', 'HTTP/1.1 200 OK\r\n\n')).toEqual([['blank', '\\r\\n', '\\n', true]]);
    const chunks = (size: string, last: string) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\nx\r\n${last}\r\n`;
    expect(found(chunks('1', '0\r\n'), chunks('01;a', '0\r\n'))).toEqual([['chunk_size', '1\\r\\n', '01;a\\r\\n', true]]);
    expect(found(chunks('1', '0\r\n'), chunks('1', '0\r\nA: 1\r\n'))).toEqual([['trailer', undefined, 'A: 1\\r\\n', undefined]]);
    expect(found(chunks('1', '0\r\n'), chunks('1', '00\r\n'))).toEqual([['last_chunk', '0\\r\\n', '00\\r\\n', true]]);
  });

  it('never hide such a difference behind one that is expected', () => {
    const { differences } = compare(answer('Date: Mon\r\nHost: x\r\n'), answer('Date: Tue\r\nHOST: x\r\n'));
    expect(differences.map(({ name, expected, spelling }) => [name, expected, spelling])).toEqual([['date', 'moment', undefined], ['host', undefined, true]]);
  });

  it('where one is the beginning of the other differ at its end', () => {
    expect(compare(side('HTTP/1.1 200 OK\r\n\r\n'), side('HTTP/1.1 200 OK\r\n\r\nx'))).toMatchObject({ identical: false, at: 19 });
  });
});

describe('what is asked', () => {
  it.each([['https://a/', 'scheme'], ['a/', 'scheme'], ['', 'scheme'], ['http://', 'host'], ['http:///x', 'host'], ['http://a b', 'space']])('refuses %j', (url, code) => {
    expect(readUrl(url)).toMatchObject({ ok: false, code });
  });

  it('takes an http URL as it is', () => {
    expect(readUrl(' HTTP://a:1/?q ')).toEqual({ ok: true, value: 'HTTP://a:1/?q' });
  });

  it('reads headers line by line, and says which is wrong', () => {
    expect(readHeaders('A: 1\n\nB:2 \n')).toEqual({ ok: true, value: [['A', '1'], ['B', '2']] });
    expect(readHeaders('A: 1\nB')).toEqual({ ok: false, code: 'colon', at: 2 });
    expect(readHeaders('A b: 1')).toEqual({ ok: false, code: 'name', at: 1 });
    expect(readHeaders('A: \u0001')).toEqual({ ok: false, code: 'value', at: 1 });
    expect(readHeaders('A: 1\n'.repeat(65))).toEqual({ ok: false, code: 'many', at: 65 });
  });
});

describe('a conversation', () => {
  let seq = 0;
  const event = (t: number, fact: Fact): Event => ({ seq: (seq += 1), t_us: t, at: '', socket: 's1', ...fact }) as Event;
  const said = (t: number, type: 'sent' | 'received', text: string): Event => event(t, { type, len: utf8(text).length, payload: encodeBase64(utf8(text)) });
  const connected = event(0, { type: 'connected', local: 'l:1', remote: 'r:1' });
  const GET = 'GET / HTTP/1.1\r\n\r\n';
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

  it('is told exchange by exchange, however its bytes were read', () => {
    const talk = new Talk('s1');
    talk.add([connected, said(1, 'sent', GET), said(2, 'received', OK.slice(0, 10)), said(3, 'received', OK.slice(10)), said(4, 'sent', GET), said(5, 'received', OK), event(9, { type: 'eof', offset: 80 })]);
    expect(talk.steps().map(({ kind, atUs, number, status }) => [kind, atUs, number, status])).toEqual([
      ['connected', 0, undefined, undefined], ['request', 1, 1, undefined], ['response', 3, 1, 200], ['request', 4, 2, undefined], ['response', 5, 2, 200], ['eof', 9, undefined, undefined],
    ]);
    const [, second] = talk.exchanges();
    expect(new TextDecoder().decode(second!.responseBytes)).toBe(OK);
    expect(second!.response.parts[0]).toEqual({ kind: 'start', from: 0, to: 17 });
  });

  it('shows bytes that nobody asked for', () => {
    const talk = new Talk('s1');
    talk.add([connected, said(1, 'sent', GET), said(2, 'received', `${OK}what?`)]);
    const [only] = talk.exchanges();
    expect(only!.response.parts.at(-1)).toEqual({ kind: 'rest', from: OK.length, to: OK.length + 5 });
    expect(only!.responseBytes).toHaveLength(OK.length + 5);
  });

  it('takes only a FIN for the end of a body, not a reset', () => {
    const cut = new Talk('s1');
    cut.add([connected, said(1, 'sent', GET), said(2, 'received', 'HTTP/1.0 200 OK\r\n\r\nab'), event(3, { type: 'reset', side: 'peer', phase: 'receive', errno: 'ECONNRESET' }), event(4, { type: 'closed', reason: 'was_reset' } as Fact)]);
    expect(cut.exchanges()[0]!.response.state).toBe('body');
    expect(cut.open).toBe(false);
    expect(cut.steps().at(-1)).toEqual({ kind: 'reset', atUs: 3, errno: 'ECONNRESET' });
  });

  it('says when bytes are missing, or too many to read', () => {
    const talk = new Talk('s1');
    talk.add([connected, event(1, { type: 'received', len: 5, payload_evicted: true })]);
    expect(talk).toMatchObject({ missing: true, more: false });
    const long = new Talk('s1');
    long.add([said(1, 'received', 'x'.repeat(MOST_BYTES)), said(1, 'received', 'x')]);
    expect(long).toMatchObject({ missing: false, more: true });
  });
});
