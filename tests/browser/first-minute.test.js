// What a newcomer does first.

import assert from 'node:assert/strict';

import { tcpClient, tcpServer, udpPeer } from './support/peers.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

const ALL_PEERS = [
  'echo', 'echo_udp', 'greeter', 'daytime', 'http', 'chargen',
  'discard', 'slow_reader', 'fragmenter', 'half_closer', 'resetter', 'silent', 'ticker',
];

test('hello comes back from an echo peer, and the ladder shows connect, send and recv', async ({ screen }) => {
  await screen.startPractice('echo');
  await screen.waitForSocket({ state: 'open' });
  await screen.send('hello');
  await screen.waitForEvent('received', 'hello');
  assert.equal(await screen.rows('sent', 'hello').count(), 1);

  await screen.openLadder();
  for (const call of ['connect', 'send', 'recv']) await screen.waitForRung(call);
  for (const call of ['recv', 'send']) await screen.waitForRung(call, 'peer');
});

test('every practice peer is on the shelf and can be started', async ({ screen, server }) => {
  assert.deepEqual(await screen.practicePeers(), ALL_PEERS);
  for (const peer of ALL_PEERS) await screen.startPractice(peer);
  await eventually('each has a socket of ours', async () => {
    const { sockets } = await server.must('GET', '/sockets');
    return sockets.length === ALL_PEERS.length;
  });
});

test('a client talks to a server of ones own, which sees exactly the bytes', async (t) => {
  const heard = [];
  const peer = await t.using(tcpServer((socket) => socket.on('data', (chunk) => {
    heard.push(chunk);
    socket.write('and good day to you');
  })));
  await t.screen.open(peer.target);
  await t.screen.waitForSocket({ state: 'open' });
  await t.screen.send('grüß dich\\r\\n', { mode: 'escapes' });
  await t.screen.waitForEvent('received', 'and good day to you');
  await t.screen.send('00 ff 0d', { mode: 'hex' });
  await eventually('the peer has all bytes', () =>
    Buffer.concat(heard).equals(Buffer.from([...Buffer.from('grüß dich\r\n'), 0x00, 0xff, 0x0d])),
  );
});

test('a listener has clients of its own, and the picker chooses who is answered', async (t) => {
  await t.screen.open('tcp-listen://127.0.0.1:0');
  const listener = await t.screen.waitForSocket({ state: 'listening' });
  const { local } = await t.server.must('GET', `/sockets/${listener}`);
  const first = await t.using(tcpClient(local));
  const second = await t.using(tcpClient(local));
  await first.send('I am first');
  await second.send('I am second');
  await t.screen.waitForEvent('received', 'I am first');
  await t.screen.waitForEvent('received', 'I am second');

  await t.screen.selectSocket(listener);
  await t.screen.pickClient(second.local);
  await t.screen.send('only you');
  await eventually('the second client has it', () => second.text === 'only you');
  assert.equal(first.text, '');
});

test('an unconnected UDP socket answers whom it is told to', async (t) => {
  await t.screen.open('udp-bind://127.0.0.1:0');
  const bound = await t.screen.waitForSocket({ state: 'open' });
  const { local } = await t.server.must('GET', `/sockets/${bound}`);
  const one = await t.using(udpPeer());
  const two = await t.using(udpPeer());
  await one.send('from one', local);
  await two.send('from two', local);
  await t.screen.waitForEvent('received', 'from one');
  await t.screen.waitForEvent('received', 'from two');

  await t.screen.selectSocket(bound);
  await t.screen.sendTo(one.address, 'to one');
  await eventually('the first peer has it', () => one.received.some(({ text }) => text === 'to one'));
  assert.deepEqual(two.received, []);
});

test('half-close, close and reset are three different things to the peer, and the page says which', async (t) => {
  const ends = [];
  const peer = await t.using(tcpServer((socket) => {
    const index = ends.push([]) - 1;
    socket.on('data', () => {});
    socket.on('end', () => ends[index].push('FIN'));
    socket.on('error', (error) => ends[index].push(error.code));
  }));
  const opened = [];
  for (const name of ['one', 'two', 'three']) {
    opened.push((await t.server.must('POST', '/sockets', { open: peer.target, name })).id);
  }
  await eventually('all are accepted', () => ends.length === 3);

  await t.screen.selectSocket(opened[0]);
  await t.screen.act('half-close');
  await t.screen.waitForEvent('shutdown');
  await t.screen.waitForSocket({ id: opened[0], state: 'half_closed_local' });
  await t.screen.selectSocket(opened[1]);
  await t.screen.act('close');
  await t.screen.waitForSocket({ id: opened[1], state: 'closed' });
  await t.screen.selectSocket(opened[2]);
  await t.screen.act('reset');
  await t.screen.waitForEvent('reset');
  await eventually('each peer saw its own end', () =>
    assert.deepEqual(ends, [['FIN'], ['FIN'], ['ECONNRESET']]),
  );
});
