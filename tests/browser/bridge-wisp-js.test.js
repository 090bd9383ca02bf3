// wisp-js, unchanged: the client that Wisp's own authors keep, in both versions of the protocol and through a key.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { client } from '@mercuryworkshop/wisp-js/client';

import { tcpClient, tcpServer, udpEcho } from './support/peers.js';
import { startServer } from './support/server.js';
import { eventually, within } from './support/wait.js';

const STREAMS = 8;
const BYTES = 3_000_000;
/** What a program writes at once: not a divisor of anything the server reads by. */
const PIECE = 16_001;
/** Close reasons of Wisp. */
const [UNREACHABLE, REFUSED] = [0x42, 0x44];
/** A name that never leads anywhere (RFC 6761). */
const UNKNOWN_HOST = 'nowhere.invalid';

/** Opens a connection and waits until both sides have said who they are. */
async function connect(url, options) {
  const connection = new client.ClientConnection(url, options);
  const opened = new Promise((resolve, reject) => {
    connection.onopen = resolve;
    connection.onclose = () => reject(new Error('closed before it was open'));
    connection.onerror = () => reject(new Error('the WebSocket failed'));
  });
  await within('Wisp is open', opened);
  return connection;
}

/** Sends it all and answers what came back, as long; or, where the stream is closed before, the reason. */
function echoed(connection, host, port, type, sent) {
  const stream = connection.create_stream(host, port, type);
  const received = [];
  let length = 0;
  const ended = new Promise((resolve) => {
    stream.onclose = resolve;
    stream.onmessage = (bytes) => {
      received.push(Buffer.from(bytes));
      length += bytes.length;
      if (length < sent.length) return;
      stream.close();
      resolve(Buffer.concat(received));
    };
  });
  for (let at = 0; at < sent.length; at += PIECE) stream.send(new Uint8Array(sent.subarray(at, at + PIECE)));
  return within(`${host}:${port} answers or is closed`, ended, 30_000);
}

for (const [version, options] of [[2, undefined], [1, { wisp_version: 1 }]]) {
  test(`wisp-js speaks version ${version} through a key`, { timeout: 90_000 }, async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const echo = await tcpServer((socket) => socket.pipe(socket));
    t.after(() => echo.close());
    const datagrams = await udpEcho();
    t.after(() => datagrams.close());
    // A port of a client is taken, and nobody listens there.
    const taken = await tcpClient(`127.0.0.1:${echo.port}`);
    t.after(() => taken.close());
    const nobody = Number(taken.local.split(':')[1]);

    const targets = [
      echo.target,
      `udp://127.0.0.1:${datagrams.port}`,
      `tcp://127.0.0.1:${nobody}`,
      `tcp://${UNKNOWN_HOST}:80`,
    ];
    const { secret } = await server.must('POST', '/keys', { targets });
    const connection = await connect(`ws://127.0.0.1:${server.port}/k/${secret}/wisp/`, options);
    t.after(() => connection.close());
    assert.equal(connection.wisp_version, version);

    const sent = Array.from({ length: STREAMS }, () => randomBytes(BYTES));
    const received = await Promise.all(sent.map((bytes) => echoed(connection, '127.0.0.1', echo.port, 'tcp', bytes)));
    for (const [i, bytes] of received.entries()) {
      assert.ok(Buffer.isBuffer(bytes), `stream ${i} was closed: ${bytes}`);
      assert.ok(bytes.equals(sent[i]), `stream ${i} is not intact`);
    }
    const datagram = Buffer.from('one datagram');
    assert.deepEqual(await echoed(connection, '127.0.0.1', datagrams.port, 'udp', datagram), datagram);
    assert.equal(await echoed(connection, '127.0.0.1', nobody, 'tcp', Buffer.from('?')), REFUSED);
    assert.equal(await echoed(connection, UNKNOWN_HOST, 80, 'tcp', Buffer.from('?')), UNREACHABLE);

    // The list says the same as the client, stream for stream.
    await eventually('every stream is in the list, whole', async () => {
      const { sockets } = await server.must('GET', '/sockets');
      const wisp = sockets.filter(({ bridge }) => bridge === 'wisp');
      const whole = wisp.filter(({ counters }) => counters.sent_bytes === BYTES && counters.received_bytes === BYTES);
      return wisp.length === STREAMS + 3 && whole.length === STREAMS;
    });
  });
}
