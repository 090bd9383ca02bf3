import { expect, it } from 'vitest';
import type { Channel } from './channel.js';
import { Duplex } from './duplex.js';
import { FIN, WINDOW } from './packet.js';

/** A socket's streams, and the types of the packets that were said. */
function duplex(): { streams: Duplex; said: number[] } {
  const said: number[] = [];
  const channel = { say: (type: number) => said.push(type) };
  return { streams: new Duplex(channel as unknown as Channel), said };
}

it('has an abort end the write that waits for credits, and those behind it, with its reason', async () => {
  const { streams, said } = duplex();
  const writer = streams.writable.getWriter();
  const waiting = writer.write(new Uint8Array(WINDOW + 1));
  const behind = writer.write(new Uint8Array(1));
  const outcomes = Promise.allSettled([waiting, behind, writer.closed]);
  // It has used up the window.
  await expect.poll(() => said.length).toBe(4);
  const reason = new Error('no more of this');
  await writer.abort(reason);
  expect(await outcomes).toEqual([reason, reason, reason].map((reason) => ({ status: 'rejected', reason })));
  expect(said.at(-1)).toBe(FIN);
});

it('has an abort without a reason end it with AbortError', async () => {
  const { streams, said } = duplex();
  const writer = streams.writable.getWriter();
  const outcomes = Promise.allSettled([writer.write(new Uint8Array(WINDOW + 1)), writer.closed]);
  await expect.poll(() => said.length).toBe(4);
  await writer.abort();
  expect((await outcomes)[0]).toMatchObject({ status: 'rejected', reason: { name: 'AbortError' } });
});
