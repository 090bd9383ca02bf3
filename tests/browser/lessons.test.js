// The lessons: what they say is what the server's log says, and nothing of them stays behind.

import assert from 'node:assert/strict';

import { tabTo } from './support/keyboard.js';
import { Lessons } from './support/lessons.js';
import { tcpServer } from './support/peers.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

// ---- what the log says

async function story(server, socket) {
  return (await server.must('GET', `/events?socket=${socket}&limit=10000`)).events;
}

/** The bytes of one direction of a socket. */
async function carried(server, socket, type) {
  const events = await story(server, socket);
  return Buffer.concat(events.filter((event) => event.type === type).map((event) => Buffer.from(event.payload, 'base64')));
}

/** When the middlebox forgot a connection, by the log: the note is on the socket that was accepted from its address. */
async function forgottenAt(server, socket) {
  const { sockets } = await server.must('GET', '/sockets?hidden=true');
  const { local } = sockets.find(({ id }) => id === socket);
  const relay = sockets.find(({ practice, remote, parent }) => practice === 'middlebox' && parent !== null && remote === local);
  return (await story(server, relay.id)).find(({ type, code }) => type === 'note' && code === 'forgotten')?.t_us;
}

const seconds = (us) => `${(us / 1e6).toFixed(3)} s`;

/** Everything that is still alive in the workspace, practice peers included. */
async function alive(server) {
  const { sockets } = await server.must('GET', '/sockets?hidden=true');
  return sockets.filter(({ closed_seq: closed }) => closed === null).map(({ id, name, practice }) => `${id} ${name ?? practice}`);
}

async function nothingAlive(server) {
  await eventually('nothing of the lesson is left', async () => assert.deepEqual(await alive(server), []));
}

// ---- heartbeat

test('of four connections two survive the silence, and the page says of each what the log says', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 2, silence: 8, watch: 2 });
  await lessons.start();
  await lessons.waitForForgotten('nothing');
  // While it runs everything is there to be seen in the instrument.
  assert.equal((await server.must('GET', '/sockets')).sockets.filter(({ name }) => /^heartbeat: /.test(name)).length, 4);
  await lessons.waitForPhase('done');
  const { nothing, slow, fast, app } = await lessons.lanes();

  for (const lane of [fast, app]) {
    assert.equal(lane.verdict, 'works', lane.text);
    assert.equal(lane.forgotten, false);
    const [sent, received] = [await carried(server, lane.socket, 'sent'), await carried(server, lane.socket, 'received')];
    // A heartbeat may be on its way when the connections are closed; the question was answered before.
    assert.ok(received.toString().includes('still there?\n') && sent.subarray(0, received.length).equals(received), 'what was asked came back');
  }
  assert.match((await carried(server, app.socket, 'sent')).toString(), /^hello\n(heartbeat\n){6,}still there\?\n/);
  assert.equal((await carried(server, fast.socket, 'sent')).toString(), 'hello\nstill there?\n', 'keepalive costs the program no byte');

  assert.equal(nothing.verdict, 'unnoticed', nothing.text);
  assert.ok(nothing.forgotten);
  assert.match(nothing.outcome, /^Has not noticed: [2-9]\.\d+ s after/);
  assert.equal((await carried(server, nothing.socket, 'received')).toString(), 'hello\n');

  // Two probes a second apart, four seconds after the last byte: it knows before anybody speaks.
  assert.deepEqual([slow.verdict, slow.errno], ['ended', 'ETIMEDOUT'], slow.text);
  const failed = (await story(server, slow.socket)).find(({ type }) => type === 'failed');
  const since = failed.t_us - (await forgottenAt(server, slow.socket));
  assert.equal(slow.outcome, `ETIMEDOUT, before anybody spoke, ${seconds(since)} after it was forgotten.`);

  await nothingAlive(server);
});

test('with TCP_USER_TIMEOUT the one that did nothing notices, and the page says with which errno and when', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 2, silence: 3, watch: 20, userTimeout: 1 });
  await lessons.start();
  await lessons.waitForPhase('done');
  const { nothing, fast, app } = await lessons.lanes();
  assert.deepEqual([nothing.verdict, nothing.errno], ['ended', 'ETIMEDOUT'], nothing.text);
  assert.deepEqual([fast.verdict, app.verdict], ['works', 'works']);
  const events = await story(server, nothing.socket);
  const failed = events.find(({ type }) => type === 'failed');
  const asked = events.findLast(({ type }) => type === 'sent');
  const took = failed.t_us - asked.t_us;
  assert.ok(took >= 1e6, `no sooner than the limit: ${took} µs`);
  const forgotten = failed.t_us - (await forgottenAt(server, nothing.socket));
  assert.equal(nothing.outcome, `ETIMEDOUT ${seconds(took)} after it asked, ${seconds(forgotten)} after it was forgotten.`);
  assert.match(nothing.text, /TCP_USER_TIMEOUT is 1 s/);
  assert.equal((await lessons.runs()).length, 1);

  // The switch alone makes the difference, and both runs stand side by side.
  await lessons.set({ idle: 2, silence: 3, watch: 2 });
  await lessons.start();
  await lessons.waitForPhase('asking');
  await lessons.waitForPhase('done');
  const [before, now] = await lessons.runs();
  assert.match(before, /TCP_USER_TIMEOUT 1 s.*ETIMEDOUT/);
  assert.match(now, /no TCP_USER_TIMEOUT.*has not noticed/);
  // It ended because every one had spoken or was over, not because the time to watch was up.
  assert.ok(events.at(-1).t_us - asked.t_us < 20e6);
});

test('settings out of range are refused with the range, and nothing is started', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  for (const [field, value, says] of [
    ['idle', '0', 'From 1 s to 60 s.'],
    ['idle', '61', 'From 1 s to 60 s.'],
    ['idle', 'soon', 'A whole number is needed. From 1 s to 60 s.'],
    ['silence', '5', 'From 6 s to 300 s.'],
    ['silence', '301', 'From 6 s to 300 s.'],
    ['watch', '1.5', 'A whole number is needed. From 1 s to 120 s.'],
    ['userTimeout', '0', 'From 1 s to 60 s.'],
  ]) {
    await lessons.set({ idle: 5, silence: 15, watch: 10, userTimeout: 3 });
    await lessons.at(`heartbeat-${field}`).fill(value);
    assert.equal(await lessons.complaint(field), says);
    await lessons.start();
    assert.equal(await lessons.phase(), 'none');
    assert.equal(await lessons.at(`heartbeat-${field}`).evaluate((input) => input === document.activeElement && input.ariaInvalid), 'true', 'one is led to what is wrong');
  }
  assert.deepEqual((await server.must('GET', '/sockets?hidden=true')).sockets, []);
});

test('stopping ends everything that was started, and leaves what was measured', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 1, silence: 60, watch: 1 });
  await lessons.start();
  await lessons.waitForForgotten('nothing');
  await lessons.at('heartbeat-stop').click();
  await lessons.waitForPhase('stopped');
  await nothingAlive(server);
  assert.ok((await lessons.lanes()).nothing.forgotten);
  assert.match(await lessons.at('heartbeat-status').innerText(), /incomplete/);
  // And another run can begin.
  await lessons.set({ idle: 1, silence: 2, watch: 1 });
  await lessons.start();
  await lessons.waitForPhase('done');
});

test('a run goes on while one looks at the instrument, and leaving the page ends it', async ({ page, server, screen }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 2, silence: 200, watch: 1 });
  await lessons.start();
  await lessons.waitForPhase('silent');
  await lessons.at('mode-instrument').click();
  await screen.waitForEvent('sent', 'heartbeat');
  assert.ok((await alive(server)).length >= 6, 'still there');
  await page.goto('about:blank');
  await nothingAlive(server);
});

test('a server that goes away ends the run with what was measured', { allow: [/Failed to load resource|ERR_|WebSocket/] }, async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 1, silence: 100, watch: 1 });
  await lessons.start();
  await lessons.waitForForgotten('nothing');
  await server.kill();
  await lessons.waitForPhase('failed');
  assert.ok((await lessons.lanes()).nothing.forgotten);
  assert.notEqual(await lessons.at('heartbeat-fault').innerText(), '');
});

// ---- HTTP

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
    assert.deepEqual(steps.slice(0, 3), ['connected', 'request', 'response']);
    if (who === 'hand') assert.deepEqual(steps.slice(3), ['eof', 'closed']);
  }
  // The first log's events say the same: the server spoke the last word.
  assert.ok((await story(server, third.socket)).some(({ type }) => type === 'eof'));
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

// ---- for everybody

test('both lessons by keyboard alone', async ({ page }) => {
  // No click anywhere in this test.
  const lessons = new Lessons(page);
  const press = async (testid, key = 'Enter') => {
    await tabTo(page, lessons.at(testid));
    await page.keyboard.press(key);
  };
  await press('mode-lessons');
  await lessons.at('heartbeat').waitFor();
  for (const [field, value] of [['idle', '1'], ['silence', '2'], ['watch', '1']]) {
    await tabTo(page, lessons.at(`heartbeat-${field}`));
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type(value);
  }
  await press('heartbeat-start');
  await lessons.waitForPhase('silent');
  assert.equal(await lessons.focused(), 'heartbeat-stop', 'the focus stays where it was');
  await lessons.waitForPhase('done');
  assert.equal(await lessons.focused(), 'heartbeat-start');
  await press('lesson-heartbeat', 'ArrowRight');
  await lessons.at('http-lesson').waitFor();
  await press('http-ask');
  await lessons.answers(1);
  await press('http-send');
  await page.locator('[data-testid="http-hand-answer"][data-state="complete"]').waitFor();
  assert.ok((await lessons.same('request')).identical);
});

for (const colorScheme of ['light', 'dark']) {
  for (const locale of ['en-US', 'zh-CN']) {
    for (const width of [1440, 390]) {
      const context = { colorScheme, locale, viewport: { width, height: width === 390 ? 844 : 900 } };
      test(`axe finds nothing in the lessons: ${colorScheme}, ${locale}, ${width} px`, { context }, async (t) => {
        const lessons = new Lessons(t.page);
        const fits = async (where) => {
          await t.checkAccessibility();
          const content = await t.page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.getElementById('part').scrollWidth));
          assert.ok(content <= width, `${where}: ${content} px in ${width}`);
          await t.screenshot(`lessons-${where}-${colorScheme}-${locale}-${width}`);
        };
        await lessons.open('heartbeat');
        await fits('heartbeat-before');
        await lessons.set({ idle: 2, silence: 3, watch: 4, userTimeout: 1 });
        await lessons.start();
        await lessons.waitForForgotten('nothing');
        await fits('heartbeat-during');
        await lessons.waitForPhase('done');
        await fits('heartbeat-done');
        const { nothing, fast } = await lessons.lanes();
        for (const { text } of [nothing, fast]) assert.equal(/\p{Script=Han}/u.test(text), locale === 'zh-CN', text);

        await lessons.open('http');
        await fits('http-before');
        await lessons.ask({ times: 2 });
        await lessons.answers(2);
        await lessons.sendByHand(1);
        await fits('http-done');
        assert.equal(/\p{Script=Han}/u.test((await lessons.same('request')).text), locale === 'zh-CN');
      });
    }
  }
}
