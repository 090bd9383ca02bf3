// What tests of Direct Sockets share: a page of another origin, and the peers its sockets reach.

import { once } from 'node:events';

import { tcpServer } from './peers.js';
import { stranger } from './stranger.js';
import { test as inChromium } from './test.js';
import { eventually, within } from './wait.js';

export const OUTSIDE = { login: false };

/** One line of the shape: `body` has what `stranger` gives beside the fixture. `key` says what the page's key allows. */
export function line(name, body, { key, ...options } = {}) {
  inChromium(name, { ...OUTSIDE, ...options }, async (t) => body(t, await stranger(t, key)));
}

export const sockets = async (t) => (await t.server.must('GET', '/sockets')).sockets;

/** A TCP server, and its next connection. */
export async function listener(t, host) {
  const waiting = [];
  const came = [];
  const peer = await t.using(
    tcpServer((socket) => {
      const taker = waiting.shift();
      if (taker) taker(socket);
      else came.push(socket);
    }, host),
  );
  const accepted = () => within('a connection is accepted', came.length > 0 ? Promise.resolve(came.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return { ...peer, accepted };
}

/** Reads to the FIN. */
export async function rest(socket) {
  const chunks = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.resume();
  if (!socket.readableEnded) await within('the FIN comes', once(socket, 'end'));
  return Buffer.concat(chunks).toString();
}

export async function heard(socket, length) {
  let said = '';
  await eventually(`${length} bytes come`, () => {
    said += socket.read()?.toString() ?? '';
    return said.length >= length;
  });
  return said;
}

/** Opens a TCPSocket, known as `socket`, `info` in the page. */
export async function connected(t, run, options) {
  const peer = await listener(t);
  await run(
    async ([port, options]) => {
      globalThis.socket = new sdk.TCPSocket('127.0.0.1', port, options);
      globalThis.info = await socket.opened;
    },
    [peer.port, options],
  );
  return peer.accepted();
}
