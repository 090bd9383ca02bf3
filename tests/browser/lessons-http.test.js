// HTTP is bytes on a socket: what a client sends and hears, what a hand does, and that it is the same.

import assert from 'node:assert/strict';

import { alive, carried, Lessons, nothingAlive, story } from './support/lessons.js';
import { tcpServer } from './support/peers.js';
import { startServer } from './support/server.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

test('the client’s bytes sent by hand are the same bytes, and so is the answer', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('http');
  await lessons.ask();
  const [{ status, socket }] = await lessons.answers(1);
  assert.equal(status, 200);
  const hand = await lessons.sendByHand(1);
  assert.notEqual(hand.socket, socket);
  for (const type of ['sent', 'received']) {
    const bytes = await carried(server, socket, type);
    assert.ok(bytes.length > 40 && bytes.equals(await carried(server, hand.socket, type)), type);
    const said = await lessons.same(type === 'sent' ? 'request' : 'response');
    assert.ok(said.identical && said.text.includes(`${bytes.length} bytes`), said.text);
  }
  assert.deepEqual(hand.parts.map(([part]) => part), ['start', 'header', 'header', 'header', 'header', 'blank', 'body']);
  assert.deepEqual(hand.parts[0], ['start', 'Status line', 'HTTP/1.1 200 OK\\r\\n']);

  // Changed by hand it is another request, and the page says in what.
  const text = await lessons.at('http-text').inputValue();
  await lessons.at('http-text').fill(text.replace('GET / ', 'GET /nowhere '));
  await lessons.sendByHand(2);
  assert.deepEqual((await lessons.same('request')).differences, ['First line']);
  const differs = await lessons.same('response');
  assert.ok(!differs.identical && !differs.expected && differs.differences.includes('First line'), differs.text);

  await lessons.at('http-end').click();
  await nothingAlive(server);
});

test('a kept connection carries both requests; a closed one ends after each', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('http');
  await lessons.ask({ connection: 'keep', times: 2 });
  const kept = await lessons.answers(2);
  assert.deepEqual(kept.map(({ reused }) => reused), [false, true]);
  assert.equal(kept[0].socket, kept[1].socket);
  const [first, second] = [await lessons.sendByHand(1), await lessons.sendByHand(2)];
  assert.equal(first.socket, second.socket);
  assert.deepEqual(await lessons.stories(), [
    { socket: kept[0].socket, who: 'client', steps: ['connected', 'request', 'response', 'request', 'response', 'closed'] },
    { socket: first.socket, who: 'hand', steps: ['connected', 'request', 'response', 'request', 'response', 'open'] },
  ]);

  await lessons.ask({ connection: 'close', times: 2 });
  await eventually('there are new answers', async () => (await lessons.answers(2))[0].socket !== kept[0].socket);
  const closed = await lessons.answers(2);
  assert.notEqual(closed[0].socket, closed[1].socket);
  assert.match(await lessons.at('http-text').inputValue(), /^Connection: close\\r\\n$/m);
  const [third, fourth] = [await lessons.sendByHand(1), await lessons.sendByHand(2)];
  assert.notEqual(third.socket, fourth.socket);
  const stories = await lessons.stories();
  assert.deepEqual(stories.map(({ who }) => who), ['client', 'client', 'hand', 'hand']);
  for (const { who, steps } of stories) {
    // On both sides the server speaks the last word, which it did not where the connection was kept.
    assert.deepEqual(steps, ['connected', 'request', 'response', 'eof', 'closed'], who);
  }
  // The first log's events say the same: the server spoke the last word.
  assert.ok((await story(server, third.socket)).some(({ type }) => type === 'eof'));
});

test('the practice server has a page in chunks: the client hides them, the hand sees them', async ({ page }) => {
  const lessons = new Lessons(page);
  await lessons.open('http');
  await lessons.choose('http-page', '/chunked');
  await lessons.ask();
  await lessons.answers(1);
  assert.match(await lessons.at('http-text').inputValue(), /^GET \/chunked HTTP\/1\.1\\r\\n\n/);
  const { framing, parts } = await lessons.sendByHand(1);
  assert.equal(framing, 'chunked');
  const kinds = parts.map(([kind]) => kind);
  assert.ok(kinds.filter((kind) => kind === 'chunk').length >= 2 && kinds.includes('last_chunk') && kinds.includes('trailer'), kinds.join());
  assert.ok((await lessons.same('response')).identical);
});

/** A server that answers every request with chunks, a trailer and another Date, and keeps what it heard. */
function chunks(heard) {
  let second = 0;
  return tcpServer((socket) => {
    let head = '';
    socket.on('data', (bytes) => {
      head += bytes.toString('latin1');
      if (!head.endsWith('\r\n\r\n')) return;
      heard.push(head);
      head = '';
      second += 1;
      socket.write(`HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 08:00:0${second} GMT\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
      socket.write('1e;why=none\r\n<img src=x onerror="alert(1)">\r\n0\r\nX-Sum: \u202e7\r\n\r\n', 'utf8');
    });
  });
}

test('chunk sizes and trailers are marked out, what may differ is named, and received markup stays text', async (t) => {
  const heard = [];
  const peer = await t.using(chunks(heard));
  const lessons = new Lessons(t.page);
  await lessons.open('http');
  await lessons.ask({ url: `http://127.0.0.1:${peer.port}/a?b` });
  await lessons.answers(1);
  const answer = await lessons.sendByHand(1);
  assert.equal(heard.length, 2);
  assert.equal(heard[0], heard[1], 'the server cannot tell the two apart');
  assert.match(heard[0], /^GET \/a\?b HTTP\/1\.1\r\n/);
  assert.equal(answer.framing, 'chunked');
  assert.deepEqual(answer.parts.slice(4), [
    ['chunk_size', 'Chunk size: 5', '5\\r\\n'],
    ['chunk', 'Chunk', 'hello'],
    ['chunk_end', 'End of chunk', '\\r\\n'],
    ['chunk_size', 'Chunk size: 30', '1e;why=none\\r\\n'],
    ['chunk', 'Chunk', '<img src=x onerror="alert(1)">'],
    ['chunk_end', 'End of chunk', '\\r\\n'],
    ['last_chunk', 'Last chunk', '0\\r\\n'],
    ['trailer', 'Trailer', 'X-Sum: \\u{202e}7\\r\\n'],
    ['blank', 'Empty line', '\\r\\n'],
  ]);
  assert.equal(await t.page.locator('[data-testid="http-lesson"] img').count(), 0);
  const said = await lessons.same('response');
  assert.deepEqual([said.identical, said.expected, said.differences], [false, true, ['date']]);
  assert.match(said.text, /08:00:01[\s\S]*08:00:02[\s\S]*names the moment/);
  assert.ok((await lessons.same('request')).identical);
});

test('what cannot be asked is refused with a sentence, and what is no HTTP is called so', { allow: [/502/, /Failed to load resource/] }, async (t) => {
  const { page, server } = t;
  const lessons = new Lessons(page);
  await lessons.open('http');
  for (const [url, says] of [['https://127.0.0.1/', /http:\/\//], ['http://', /no host/], ['http://a b/', /no spaces/]]) {
    await lessons.ask({ url });
    assert.match(await lessons.at('http-url-wrong').innerText(), says);
  }
  await lessons.choose('http-server', 'practice');
  await page.locator('[data-testid="http-lesson"] summary').first().click();
  await lessons.at('http-headers').fill('X-Fine: 1\nnonsense');
  await lessons.ask();
  assert.match(await lessons.at('http-headers-wrong').innerText(), /Line 2/);
  assert.deepEqual((await server.must('GET', '/sockets?hidden=true')).sockets, [], 'nothing was opened');
  await lessons.at('http-headers').fill('X-Fine: 1');

  const { target } = await server.must('POST', '/practice', { peer: 'echo' });
  await lessons.ask({ url: target.replace('tcp:', 'http:') });
  await lessons.at('http-fault').waitFor();
  assert.notEqual((await lessons.at('http-fault').innerText()).trim(), '');

  // By hand: an escape that is none is not sent, a head without its end waits, and bytes that are no HTTP are shown.
  const peer = await t.using(tcpServer((socket) => socket.on('data', (bytes) => {
    if (bytes.includes('X-Fine')) socket.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
    else socket.end(Buffer.from([0x00, 0xff, 0x0a, 0xe2, 0x80, 0xae, 0x3c, 0x62, 0x3e]));
  })));
  await lessons.ask({ url: `http://127.0.0.1:${peer.port}/`, connection: 'close' });
  await lessons.answers(1);
  await lessons.at('http-text').fill('GET \\q');
  assert.match(await lessons.at('http-count').innerText(), /not understood/);
  assert.ok(await lessons.at('http-send').isDisabled());
  await lessons.at('http-text').fill('GET / HTTP/1.1\n\n');
  assert.match(await lessons.at('http-count').innerText(), /^18 bytes/);
  await lessons.at('http-send').click();
  const answer = page.locator('[data-testid="http-hand-answer"][data-state="bad"]');
  await answer.waitFor();
  assert.match(await answer.innerText(), /\\0\\xff\\n[\s\S]*\\u\{202e\}<b>[\s\S]*no HTTP\/1\.1/);
});

/** A server that hears a request to its end and then does this with the socket. */
function replies(reply) {
  return tcpServer((socket) => {
    let head = '';
    socket.on('data', (bytes) => {
      head += bytes.toString('latin1');
      if (head.endsWith('\r\n\r\n')) reply(socket);
    });
  });
}

const OK = 'HTTP/1.1 200 OK\r\n';
const FAILURES = [
  ['a head without an end', (socket) => {
    const more = () => { while (socket.writable && socket.write(`${OK}${'X-Endless: yes\r\n'.repeat(4000)}`)); };
    socket.on('drain', more);
    more();
  }, /no end/, 'bad', 'long_head'],
  ['interim answers for ever', (socket) => {
    const more = () => { while (socket.writable && socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(2000))); };
    socket.on('drain', more);
    more();
  }, /no end/, 'bad', 'long_head'],
  ['a chunk size that is none', (socket) => socket.end(`${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`), /not HTTP/, 'bad', 'chunk_size'],
  ['two lengths', (socket) => socket.end(`${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!`), /not HTTP/, 'bad', 'length'],
  ['a length that is too long', (socket) => socket.end(`${OK}Content-Length: 9\r\n\r\nok`), /breaks off/, 'body', undefined],
  ['no HTTP', (socket) => socket.end('220 ready <b>\r\n'), /not HTTP/, 'bad', 'no_start'],
  ['a reset', (socket) => { socket.write(OK); setTimeout(() => socket.resetAndDestroy(), 50); }, /not HTTP|breaks off|reset/i, 'head', undefined],
];

test('whatever goes wrong, what came is shown and the request can be said by hand', { allow: [/502/, /Failed to load resource/] }, async (t) => {
  const lessons = new Lessons(t.page);
  await lessons.open('http');
  for (const [what, reply, says, state, bad] of FAILURES) {
    const peer = await t.using(replies(reply));
    await lessons.ask({ url: `http://127.0.0.1:${peer.port}/` });
    await t.page.locator('[data-testid="http-lesson"][data-phase="failed"]').waitFor();
    assert.match(await lessons.at('http-fault').innerText(), says, what);
    const broken = lessons.at('http-broken');
    assert.equal(await broken.count(), 1, what);
    assert.equal(await broken.getAttribute('data-state'), state, what);
    assert.equal((await broken.getAttribute('data-bad')) ?? undefined, bad, what);
    assert.ok((await broken.locator('[data-part]').count()) > 0, what);
    if (bad !== undefined && bad !== 'long_head') assert.ok((await broken.locator('[data-part="rest"]').count()) > 0, what);
    assert.match(await lessons.at('http-text').inputValue(), /^GET \/ HTTP\/1\.1\\r\\n/, what);
    await lessons.at('http-send').click();
    await lessons.at('http-hand-answer').first().waitFor();
    assert.ok((await lessons.stories()).some(({ who }) => who === 'client'), what);
    // It is over or it is not: the next asking begins anew.
    await eventually('the hand is done', async () => (await lessons.at('http-ask').isEnabled()), 15_000);
    peer.close();
  }
});

test('asking a server that hangs can be cancelled, and its socket is closed', async (t) => {
  const begun = [];
  const peer = await t.using(tcpServer((socket) => {
    socket.on('data', () => socket.write(`${OK}Content-Length: 100\r\n\r\nslow`));
    socket.on('end', () => socket.end());
    begun.push(socket);
  }));
  const lessons = new Lessons(t.page);
  await lessons.open('http');
  await lessons.ask({ url: `http://127.0.0.1:${peer.port}/` });
  await eventually('the server has begun to answer', async () => {
    const { events } = await t.server.must('GET', '/events?type=received');
    return events.length === 1;
  });
  await lessons.at('http-cancel').click();
  await t.page.locator('[data-testid="http-lesson"][data-phase="failed"]').waitFor();
  assert.match(await lessons.at('http-fault').innerText(), /^Cancelled/);
  await nothingAlive(t.server);
  assert.equal(await lessons.at('http-broken').getAttribute('data-state'), 'body');
  assert.match(await lessons.at('http-broken').innerText(), /slow/);
  assert.match(await lessons.at('http-text').inputValue(), /^GET /);
});

test('a server that does not finish is said to be the other one', { allow: [/504/, /Failed to load resource/] }, async (t) => {
  const lessons = new Lessons(t.page);
  await lessons.open('http');
  const detail = { type: 'urn:sockscope:answer_timed_out', title: 'late', status: 504, detail: '', code: 'answer_timed_out', params: { seconds: '30' } };
  let ask;
  await t.page.route('**/workspaces/default/http', async (route) => {
    ask = Date.now();
    // Later than the page waits for any other answer.
    await new Promise((resolve) => setTimeout(resolve, 22_000));
    await route.fulfill({ status: 504, contentType: 'application/problem+json', body: JSON.stringify(detail) });
  });
  await lessons.ask();
  await lessons.at('http-fault').waitFor({ timeout: 30_000 });
  assert.ok(Date.now() - ask > 21_000);
  assert.equal(await lessons.at('http-fault').innerText(), 'The other server did not finish its answer within 30 s.');
});

test('what differs only in how it is written is shown as it is written', async ({ page }) => {
  const lessons = new Lessons(page);
  await lessons.open('http');
  await lessons.ask();
  await lessons.answers(1);
  const text = await lessons.at('http-text').inputValue();
  await lessons.at('http-text').fill(text.replace('Host:', 'HOST:'));
  await lessons.sendByHand(1);
  const said = await lessons.same('request');
  assert.deepEqual([said.identical, said.differences], [false, ['host']]);
  assert.match(said.text, /Only spelling, order, spaces or line ends differ[\s\S]*Host: [\s\S]*\\r\\n[\s\S]*HOST: /);
  await lessons.at('http-text').fill(text.replace('GET', 'get'));
  await lessons.at('http-send').click();
  await eventually('it says from which byte on', async () => /from byte 1 on/.test((await lessons.same('request')).text));
});

test('leaving the page closes the socket by hand and the practice server', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('http');
  await lessons.ask();
  await lessons.answers(1);
  await lessons.sendByHand(1);
  assert.ok((await alive(server)).length >= 2);
  await page.goto('about:blank');
  await nothingAlive(server);
});

test('after a restart of the server nothing is taken for the lesson’s that is not', { allow: [/WebSocket/, /ERR_CONNECTION_REFUSED/, /Failed to load resource/] }, async (t) => {
  const lessons = new Lessons(t.page);
  await lessons.open('http');
  await lessons.ask();
  await lessons.answers(1);
  await lessons.sendByHand(1);
  await t.server.kill();
  const again = await startServer({ port: t.server.port });
  t.cleanup(() => again.stop());
  // These have the ids that the lesson's sockets had.
  const mine = [];
  for (let i = 0; i < 6; i += 1) mine.push((await again.must('POST', '/sockets', { open: 'tcp-listen://127.0.0.1:0' })).id);
  await t.screen.waitForBanner('restarted', 30_000);
  await lessons.at('http-end').click();
  await lessons.at('http-end').waitFor({ state: 'detached' });
  const { sockets } = await again.must('GET', '/sockets');
  assert.deepEqual(sockets.filter(({ state }) => state === 'listening').map(({ id }) => id), mine);
  // And it can be asked again, of a practice server of the new one.
  await lessons.ask();
  await eventually('the new server answers', async () => (await lessons.answers(1)).length === 1);
  await lessons.sendByHand(1);
  assert.ok((await lessons.same('request')).identical);
});
