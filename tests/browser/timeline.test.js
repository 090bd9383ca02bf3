// The instrument: following, pausing, clearing, filtering, searching, taking away.

import assert from 'node:assert/strict';

import { tcpServer } from './support/peers.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

/** A socket of ours whose peer says numbered lines when asked. */
async function talker(t) {
  const peer = await t.using(tcpServer());
  const { id } = await t.server.must('POST', '/sockets', { open: peer.target });
  await eventually('it is accepted', () => peer.sockets.size === 1);
  const [socket] = peer.sockets;
  let bytes = 0;
  return {
    id,
    /** Sent one after the other, so that each is a read of its own. */
    async say(...lines) {
      for (const line of lines) {
        socket.write(line);
        bytes += Buffer.byteLength(line);
        await eventually(`“${line}” is recorded`, async () =>
          (await t.server.must('GET', `/sockets/${id}`)).counters.received_bytes === bytes,
        );
      }
    },
  };
}

const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => `message ${from + index}.`);

test('the tail is followed from the bottom only', async (t) => {
  const peer = await talker(t);
  await peer.say(...lines(1, 60));
  await t.screen.waitForEvent('received', 'message 60.');
  await t.screen.waitForFollowing(true);

  await t.screen.scroll('up');
  await t.screen.waitForFollowing(false);
  const before = await t.screen.visibleSeqs();
  await peer.say(...lines(61, 70));
  await eventually('the page knows of them', () => t.screen.saysUnseen());
  assert.deepEqual(await t.screen.visibleSeqs(), before, 'the view moved under the reader');

  await t.screen.scroll('down');
  await t.screen.waitForEvent('received', 'message 70.');
  await t.screen.waitForFollowing(true);
});

test('a paused view stands still and says so, and has everything afterwards', async (t) => {
  const peer = await talker(t);
  await peer.say('one');
  await t.screen.waitForEvent('received', 'one');
  await t.screen.pause();
  await peer.say('two');
  await t.screen.waitForPausedNotice(1);
  assert.equal(await t.screen.rows('received', 'two').count(), 0);
  await t.screen.resume();
  await t.screen.waitForEvent('received', 'two');
});

test('the three empty states are three different sentences', async (t) => {
  const nothing = await t.screen.emptyState('nothing');
  const peer = await talker(t);
  await peer.say('hello');
  await t.screen.waitForEvent('received', 'hello');
  await t.screen.filterText('no such text anywhere');
  const hidden = await t.screen.emptyState('filtered');
  await t.screen.filterText('');
  await t.screen.pause();
  await t.screen.clear();
  const paused = await t.screen.emptyState('paused');
  assert.equal(new Set([nothing, hidden, paused]).size, 3);
});

test('clearing gives up the log for every viewer, and sockets live on', async (t) => {
  const peer = await talker(t);
  await peer.say('old');
  await t.screen.waitForEvent('received', 'old');
  await t.screen.clear();
  await eventually('the row is gone', async () => (await t.screen.rows('received', 'old').count()) === 0);
  await t.page.reload();
  await t.screen.ready();
  await peer.say('new');
  await t.screen.waitForEvent('received', 'new');
  assert.equal(await t.screen.rows('received', 'old').count(), 0);
});

test('filters narrow by text, socket, direction and type', async (t) => {
  const first = await talker(t);
  const second = await talker(t);
  await first.say('apple', 'pear');
  await second.say('apple pie');
  await t.server.must('POST', `/sockets/${first.id}/send`, { text: 'thank you' });
  await t.screen.waitForEvent('sent', 'thank you');
  const left = (...wanted) =>
    eventually(`${wanted} are left`, async () => assert.deepEqual(await t.screen.eventTexts(), wanted));

  await t.screen.filterText('apple');
  await left('apple', 'apple pie');
  await t.screen.selectSocket(first.id);
  await left('apple');
  await t.screen.filterText('');
  await t.screen.filterTypes('sent', 'received');
  await left('apple', 'pear', 'thank you');
  await t.screen.filterDirection('sent');
  await left('thank you');
  await t.screen.filterDirection('received');
  await t.screen.showAllSockets();
  await left('apple', 'pear', 'apple pie');
  await t.screen.filterDirection('all');
  await t.screen.showAllTypes();
  await eventually('everything is back', async () => (await t.screen.eventTexts()).length > 6);
});

test('search goes from hit to hit, both ways, in text and in what the kernel said', async (t) => {
  const peer = await talker(t);
  await peer.say('a pear', ...lines(1, 40), 'two pears', ...lines(41, 80));
  await t.screen.waitForEvent('received', 'message 80.');
  const selected = (text) => eventually(`“${text}” is selected and in sight`, async () => (await t.screen.selectedText())?.includes(text) ?? false);
  await t.screen.search('pear');
  await selected('a pear');
  await t.screen.search('pear');
  await selected('two pears');
  await t.screen.search('pear', { previous: true });
  await selected('a pear');
  await t.screen.search('Connected');
  await selected('Connected');
});

test('time is shown absolute, relative and as a difference', async (t) => {
  const peer = await talker(t);
  await peer.say('one', 'two');
  await t.screen.waitForEvent('received', 'two');
  const shapes = { absolute: /^\d\d:\d\d:\d\d\.\d+$/, relative: /^\d+\.\d+$/, delta: /^[+−]/ };
  for (const [time, shape] of Object.entries(shapes)) {
    await t.screen.showTime(time);
    await eventually(`times are ${time}`, async () => {
      for (const text of await t.screen.times('received')) assert.match(text, shape);
    });
  }
});

test('the language is switched live, and kept', async ({ screen, page }) => {
  await screen.setLanguage('zh');
  await eventually('the page says it is Chinese', async () => (await page.getAttribute('html', 'lang')).startsWith('zh'));
  assert.match(await page.innerText('body'), /\p{Script=Han}{4}/u);
  await page.reload();
  await screen.ready();
  assert.match(await page.getAttribute('html', 'lang'), /^zh/);
  await screen.setLanguage('en');
  await eventually('and English again', async () => (await page.getAttribute('html', 'lang')).startsWith('en'));
});

test('a conversation is copied as text and exported as text and JSON lines', { context: { permissions: ['clipboard-read', 'clipboard-write'] } }, async (t) => {
  const peer = await talker(t);
  await peer.say('take me away');
  await t.screen.selectSocket(peer.id);
  await t.screen.waitForEvent('received', 'take me away');

  await t.screen.copyConversation();
  await eventually('it is on the clipboard', async () =>
    (await t.page.evaluate(() => navigator.clipboard.readText())).includes('take me away'),
  );
  assert.match(await t.screen.exportAs('text'), /take me away/);
  const events = (await t.screen.exportAs('jsonl')).trim().split('\n').map((line) => JSON.parse(line));
  const { payload } = events.find(({ type }) => type === 'received');
  assert.equal(Buffer.from(payload, 'base64').toString(), 'take me away');
});

test('a conversation, and everything, is saved as pcapng; the command to follow it answers and holds no token', async (t) => {
  const peer = await talker(t);
  await peer.say('take me away');
  const other = await talker(t);
  await other.say('and me too');
  await t.screen.waitForEvent('received', 'and me too');
  const section = Buffer.from('0a0d0d0a', 'hex');

  const all = await t.screen.exportCapture();
  assert.deepEqual(all.subarray(0, 4), section);
  assert.ok(all.includes('take me away') && all.includes('and me too'), 'both conversations are in it');

  await t.screen.selectSocket(peer.id);
  const one = await t.screen.exportCapture();
  assert.deepEqual(one.subarray(0, 4), section);
  assert.ok(one.includes('take me away') && !one.includes('and me too'), 'only its own conversation is in it');

  await t.screen.at('export-live').locator('summary').click();
  const command = await t.screen.at('export-live').locator('code').innerText();
  assert.match(command, /^curl -sN -H "Authorization: Bearer \$SOCKSCOPE_TOKEN" '[^']+' \| wireshark -k -i -$/);
  assert.ok(!(await t.page.content()).includes(t.server.token), 'the token is nowhere on the page');
  const leaving = new AbortController();
  const followed = await fetch(command.match(/'([^']+)'/)[1], { headers: { Authorization: `Bearer ${t.server.token}` }, signal: leaving.signal });
  const { value } = await followed.body.getReader().read();
  leaving.abort();
  assert.deepEqual(Buffer.from(value).subarray(0, 4), section);
  await t.checkAccessibility();
});

test('sockets are renamed, duplicated, reopened and removed', async (t) => {
  const peer = await t.using(tcpServer());
  await t.screen.open(peer.target);
  const id = await t.screen.waitForSocket({ state: 'open' });
  await t.screen.selectSocket(id);
  await t.screen.rename('my socket');
  await eventually('the server has the name', async () => (await t.server.must('GET', `/sockets/${id}`)).name === 'my socket');
  await t.screen.act('duplicate');
  await eventually('the peer has two', () => peer.sockets.size === 2);

  await t.screen.selectSocket(id);
  await t.screen.act('close');
  await t.screen.waitForSocket({ id, state: 'closed' });
  await t.screen.act('reopen');
  await eventually('the peer has three', () => peer.sockets.size === 3);
  await t.screen.selectSocket(id);
  await t.screen.act('remove');
  await eventually('it is off the list', async () =>
    (await t.server.must('GET', '/sockets')).sockets.every((socket) => socket.id !== id),
  );
});
