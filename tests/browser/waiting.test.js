// What takes its time: a connect that hangs, a peer that does not read, a close that waits, an option refused.

import assert from 'node:assert/strict';

import { silentPort, tcpServer, udpPeer } from './support/peers.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

/** Larger than what two kernels keep for a socket whose send buffer is small, smaller than a queue. */
const PIECE = 'a line that waits for its peer; '.repeat(1400);
const PIECES = 12;

/** A socket to a peer that reads when it is told to. */
async function stubborn(t) {
  const heard = { bytes: 0, ended: false };
  const peer = await t.using(tcpServer());
  const { id } = await t.server.must('POST', '/sockets', { open: peer.target, name: 'stubborn', options: { send_buffer: 4096 } });
  await eventually('it is accepted', () => peer.sockets.size === 1);
  const [socket] = peer.sockets;
  return {
    id,
    heard,
    read() {
      socket.on('data', (chunk) => (heard.bytes += chunk.length));
      socket.on('end', () => (heard.ended = true));
    },
  };
}

const kib = (trouble) => Number(/([\d.]+) KiB/.exec(trouble)[1]);

test('a connect that hangs is cancelled, and the page says so', async (t) => {
  const { screen, server } = t;
  const port = await silentPort(t);
  await screen.open(`tcp://127.0.0.1:${port}`);
  const id = await screen.waitForSocket({ state: 'opening' });
  await screen.selectSocket(id);
  await screen.waitForEvent('connecting', String(port));
  await screen.waitForWhyNot(/still opening/);
  await screen.act('cancel');
  await screen.waitForSocket({ id, state: 'closed' });
  await screen.waitForEvent('closed', 'cancelled');
  const { closed_seq: end } = await server.must('GET', `/sockets/${id}`);
  const { events } = await server.must('GET', `/events?after=${end - 1}&socket=${id}`);
  assert.equal(events[0].reason, 'cancelled');

  await screen.openLadder();
  await screen.waitForRung('connect');
  await screen.waitForRung('closed');
});

test('a peer that does not read is seen: how much waits, and since when; and that it goes on', async (t) => {
  const { screen } = t;
  const peer = await stubborn(t);
  await screen.selectSocket(peer.id);
  for (let piece = 1; piece < PIECES; piece += 1) await screen.send(PIECE);
  await screen.waitForEvent('paused', 'not reading');
  const blocked = /KiB queued since \d\d:\d\d:\d\d: peer is not reading/;
  const trouble = await screen.waitForTrouble(peer.id, blocked);

  // What is queued while it stands still is no event of the log; the list knows it all the same.
  await screen.send(PIECE);
  await eventually('more waits than before', async () => kib(await screen.waitForTrouble(peer.id, /since/)) > kib(trouble) + 40);
  // Another viewer is told the same.
  await t.page.reload();
  await screen.ready();
  await screen.waitForTrouble(peer.id, blocked);

  peer.read();
  await screen.selectSocket(peer.id);
  await screen.waitForEvent('resumed');
  await eventually('it has every byte', () => peer.heard.bytes === PIECE.length * PIECES);
  await eventually('there is nothing wrong with it any more', async () => (await t.page.getByTestId('socket-trouble').count()) === 0);
});

test('a close waits for what is queued: nothing new is taken, and then FIN goes', async (t) => {
  const { screen, server } = t;
  const peer = await stubborn(t);
  await screen.selectSocket(peer.id);
  for (let piece = 0; piece < PIECES; piece += 1) await screen.send(PIECE);
  await screen.act('close');
  await screen.waitForSocket({ id: peer.id, state: 'closing' });
  await screen.waitForEvent('closing', 'go first');
  await screen.waitForTrouble(peer.id, /KiB/);
  await screen.waitForWhyNot(/closing/);
  const refused = await server.api('POST', `/sockets/${peer.id}/send`, { text: 'too late' });
  assert.deepEqual([refused.status, refused.body.code], [409, 'wrong_state'], JSON.stringify(refused));

  peer.read();
  await screen.waitForSocket({ id: peer.id, state: 'closed' });
  await eventually('it has every byte, then FIN', () => peer.heard.ended && peer.heard.bytes === PIECE.length * PIECES);
});

test('a close that waits can be made at once, and what was given up is said', async (t) => {
  const { screen } = t;
  const peer = await stubborn(t);
  await screen.selectSocket(peer.id);
  for (let piece = 0; piece < PIECES; piece += 1) await screen.send(PIECE);
  await screen.act('close');
  await screen.waitForSocket({ id: peer.id, state: 'closing' });
  await screen.act('close');
  await screen.waitForSocket({ id: peer.id, state: 'closed' });
  await screen.waitForEvent('closed', /Never sent: [\d,]+ bytes/);
});

test('what the page folds from events is what the server lists', async (t) => {
  const { screen, server, page } = t;
  const peer = await stubborn(t);
  await screen.open('tcp-listen://127.0.0.1:0');
  const listener = await screen.waitForSocket({ state: 'listening' });
  await server.must('PATCH', `/sockets/${listener}`, { options: { keepalive: true } });
  const { local } = await server.must('GET', `/sockets/${listener}`);
  const { id: client } = await server.must('POST', '/sockets', { open: `tcp://${local}`, options: { read_size: 7 } });
  await eventually('it is accepted', async () => (await server.must('GET', '/sockets')).sockets.some((socket) => socket.parent === listener));
  const accepted = (await server.must('GET', '/sockets')).sockets.find((socket) => socket.parent === listener).id;
  await server.must('POST', `/sockets/${client}/send`, { text: 'twenty bytes to read' });
  await server.must('POST', `/sockets/${client}/shutdown`, { how: 'write' });
  await server.must('PATCH', `/sockets/${accepted}`, { name: 'the other end', options: { nodelay: false } });
  await server.must('DELETE', `/sockets/${peer.id}?reset=true`);
  const bound = await server.must('POST', '/sockets', { open: 'udp-bind://127.0.0.1:0', options: { broadcast: true } });
  await server.must('POST', `/sockets/${bound.id}/send`, { text: 'to myself', to: bound.local });
  await screen.showAllSockets();
  await screen.waitForEvent('received', 'to myself');
  await eventually('the half-close arrived', async () => (await server.must('GET', `/sockets/${accepted}`)).state === 'half_closed_remote');

  const cards = async () => {
    const said = {};
    for (const id of [peer.id, listener, client, accepted, bound.id]) {
      await screen.selectSocket(id);
      said[id] = await screen.socketCard();
    }
    return said;
  };
  await screen.waitForSocket({ id: accepted, state: 'half_closed_remote' });
  const folded = await cards();
  await page.reload();
  await screen.ready();
  assert.deepEqual(folded, await cards());
});

test('an option that is out of range is refused with a sentence, one that is not is set', async (t) => {
  const { screen, server } = t;
  const { id } = await server.openPractice('echo');
  await screen.selectSocket(id);
  assert.match(await screen.wrongOption('read_size', '300000'), /1 to 262,144/);
  await screen.setOption('read_size', '7');
  await screen.waitForEvent('option_set', 'read_size');
  assert.equal((await server.must('GET', `/sockets/${id}`)).options.read_size, 7);
  assert.match(await screen.socketCard(), /read_size 7/);
  await t.checkAccessibility();
});

test('an address of another family is refused with a sentence that says so', async (t) => {
  const { screen, server } = t;
  const { id } = await server.must('POST', '/sockets', { open: 'udp-bind://127.0.0.1:0' });
  await screen.selectSocket(id);
  await screen.at('composer-to').fill('[::1]:9');
  await screen.composer.fill('hello');
  await screen.composer.press('Enter');
  assert.match(await screen.waitForNotice(/family/), /IPv4/);
});

test('everybody an unconnected socket heard from can be seen', async (t) => {
  const { screen, server, page } = t;
  const { id, local } = await server.must('POST', '/sockets', { open: 'udp-bind://127.0.0.1:0' });
  const peers = [];
  for (let i = 0; i < 40; i += 1) peers.push(await t.using(udpPeer()));
  for (const peer of peers) await peer.send('hello', local);
  await eventually('all were heard', async () => (await server.must('GET', `/sockets/${id}`)).counters.received_events === 40);
  await screen.selectSocket(id);
  await screen.socketCard();
  await eventually('they are counted', async () => (await screen.at('peers-count').innerText()) === '40');
  const listed = () => page.locator('[data-testid="peers-seen"] li').allInnerTexts();
  assert.ok((await listed()).length < 40, 'the first are enough at first');
  await screen.at('peers-all').press('Enter');
  const all = (await listed()).join('\n');
  for (const { address } of peers) assert.ok(all.includes(address), `${address} is missing`);
});

test('what was meant for one client goes to nobody else when that one has left', async (t) => {
  const { screen, server } = t;
  const { id, local } = await server.must('POST', '/sockets', { open: 'tcp-listen://127.0.0.1:0' });
  const [first, second] = [await server.must('POST', '/sockets', { open: `tcp://${local}` }), await server.must('POST', '/sockets', { open: `tcp://${local}` })];
  await screen.selectSocket(id);
  await screen.pickClient(second.local);
  await screen.composer.fill('for you only');
  await server.must('DELETE', `/sockets/${second.id}?reset=true`);
  await screen.waitForWhyNot(/gone/);
  await screen.composer.press('Enter');
  await screen.at('composer-client').selectOption('all');
  await screen.composer.press('Enter');
  await eventually('the composer is empty', async () => (await screen.composer.inputValue()) === '');
  await screen.showAllSockets();
  await screen.waitForEvent('received', 'for you only');
  const { counters } = await server.must('GET', `/sockets/${first.id}`);
  assert.equal(counters.received_events, 1);
});
