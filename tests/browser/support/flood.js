// Many events from another process: a socket that reads 64 bytes at a time from a peer that writes 64-byte lines.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const LINE_BYTES = 64;

/** The text of a line by its number: 64 printable characters, so that a row shows exactly what was sent. */
export function line(number) {
  return `line ${String(number).padStart(9, '0')} of a flood that nobody could read as it comes`.padEnd(LINE_BYTES, '.');
}

/** Starts the sender and opens a socket to it: each line is a read of its own, so each is an event. */
export async function flood(server) {
  const child = fork(fileURLToPath(new URL('flood-sender.js', import.meta.url)));
  const [{ port }] = await once(child, 'message');
  const { id } = await server.must('POST', '/sockets', { open: `tcp://127.0.0.1:${port}`, name: 'flood', options: { read_size: LINE_BYTES } });
  return {
    id,
    /**
     * Sends `count` lines at `rate` a second; answers true when the last was handed to the kernel, false when somebody
     * closed the socket before.
     */
    async send(count, rate) {
      const done = once(child, 'message').then(() => true);
      const gone = once(child, 'exit').then(() => false);
      child.send({ count, rate });
      return Promise.race([done, gone]);
    },
    close: () => child.kill('SIGKILL'),
  };
}

/**
 * Compares rows as they are drawn with what the server says of them: seq, length and text. Answers how many were
 * compared; throws at the first that is wrong. A line's text also has to be the one its place in the stream demands.
 */
export async function compareRows(server, rows) {
  if (rows.length === 0) throw new Error('no rows to compare');
  const first = rows[0].seq;
  const { events } = await server.must('GET', `/events?after=${first - 1}&limit=${rows.at(-1).seq - first + 1}`);
  const bySeq = new Map(events.map((event) => [event.seq, event]));
  for (const row of rows) {
    const event = bySeq.get(row.seq);
    const wrong = (what) => new Error(`row ${row.seq}: ${what}: ${JSON.stringify(row)} is ${JSON.stringify(event)}`);
    if (event === undefined) throw wrong('there is no such event');
    if (event.type !== row.type) throw wrong('another type');
    if (event.type !== 'received') continue;
    const text = Buffer.from(event.payload, 'base64').toString('latin1');
    if (event.len !== row.len || text.length !== event.len) throw wrong('another length');
    if (text !== row.text) throw wrong('another text');
    const number = Math.floor(event.offset / LINE_BYTES);
    const within = event.offset % LINE_BYTES;
    if (within + event.len <= LINE_BYTES && line(number).slice(within, within + event.len) !== text) throw wrong('not what was sent');
  }
  return rows.length;
}

/** How many events the log has; the kernel's are counted apart, and the timeline leaves them out. */
export async function countEvents(server) {
  let count = 0;
  for (let after = 0; ; ) {
    const { events, next } = await server.must('GET', `/events?after=${after}&limit=10000&payload=none&kernel=false`);
    count += events.length;
    if (events.length === 0) return count;
    after = next ?? events.at(-1).seq;
  }
}
