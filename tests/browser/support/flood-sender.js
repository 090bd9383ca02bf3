// A process that writes numbered 64-byte lines to whoever connects, at the rate it is told. Started by flood.js.

import { once } from 'node:events';
import net from 'node:net';

import { line, LINE_BYTES } from './flood.js';

/** Lines go in gusts this far apart, in ms. */
const TICK_MS = 4;
/** A reader that is this far behind is waited for: what was promised is a rate, not a buffer. */
const MOST_WAITING = 1 << 20;

const server = net.createServer({ noDelay: true }).listen(0, '127.0.0.1');
await once(server, 'listening');
process.send({ port: server.address().port });
const [socket] = await once(server, 'connection');
// A reset is for the other end to tell.
socket.on('error', () => process.exit(0));
socket.on('data', () => {});
socket.on('end', () => process.exit(0));
let next = 0;

process.on('message', async ({ rate, count }) => {
  const began = performance.now();
  const end = next + count;
  const first = next;
  while (next < end) {
    const due = Math.min(end, first + Math.ceil(((performance.now() - began) * rate) / 1000));
    if (due > next && socket.writableLength < MOST_WAITING) {
      const gust = Buffer.allocUnsafe((due - next) * LINE_BYTES);
      for (let at = 0; next < due; next += 1, at += LINE_BYTES) gust.write(line(next), at, 'latin1');
      socket.write(gust);
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  process.send({ done: next });
});
process.on('disconnect', () => process.exit(0));
