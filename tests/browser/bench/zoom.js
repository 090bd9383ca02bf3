// A long ladder that is zoomed: does every step of it come in a frame?

import { once } from 'node:events';
import net from 'node:net';

import { eventually } from '../support/wait.js';
import { quantile } from './page.js';

/** Each is a send, a recv, and a segment either way. */
const ECHOES = 5_100;
const SHORT = 600;
/** So many calls are kept on a rail of the ladder. */
const KEPT = 10_000;
const STEPS = 240;
/** Frames come 16.7 ms apart or twice that: one may be missed. */
const TARGET_MS = 33.4;

/** Turns the wheel a notch a frame, a quarter of the steps closer and the next away, and answers how far frames were apart. */
async function zoom(steps) {
  const stage = document.querySelector('[data-testid="ladder-stage"]');
  const { x, y, width, height } = stage.getBoundingClientRect();
  const frame = () => new Promise(requestAnimationFrame);
  const apart = [];
  let last = await frame();
  for (let i = 0; i < steps; i += 1) {
    const deltaY = Math.floor(i / (steps / 4)) % 2 === 0 ? -40 : 40;
    stage.dispatchEvent(new WheelEvent('wheel', { deltaY, ctrlKey: true, bubbles: true, cancelable: true, clientX: x + width / 2, clientY: y + height * 0.6 }));
    const now = await frame();
    apart.push(now - last);
    last = now;
  }
  // Some time after the last step everything around it is drawn, too.
  const after = [];
  for (const until = last + 1_000; last < until; ) {
    const now = await frame();
    after.push(now - last);
    last = now;
  }
  return { apart, settled: Math.max(...after) };
}

export async function measureZoom({ server, page, screen }, quick) {
  const count = quick ? SHORT : ECHOES;
  const echo = net.createServer((socket) => socket.setNoDelay(true).on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const { id } = await server.must('POST', '/sockets', { open: `tcp://127.0.0.1:${echo.address().port}` });
  for (let i = 0; i < count; i += 1) await server.must('POST', `/sockets/${id}/send`, { text: 'x' });
  await eventually('all of it came back', async () => (await server.must('GET', `/sockets/${id}`)).counters.received_bytes === count, 60_000);
  await screen.selectSocket(id);
  await screen.openLadder();
  await screen.at('inspector-wide').click();
  await screen.at('ladder-fit').click();
  const ladder = await eventually('the ladder has all it keeps', async () => {
    const { rungs, segments } = await screen.ladderCounts();
    return rungs >= Math.min(2 * count, KEPT) && { rungs, segments };
  }, 60_000);
  const { apart, settled } = await page.evaluate(zoom, STEPS);
  await server.must('DELETE', `/sockets/${id}`);
  echo.close();
  const number = (value) => value.toLocaleString('en');
  const ms = (share) => quantile(apart, share).toFixed(1);
  return [
    {
      figure: 'frames while a ladder is zoomed, p50 / p95 / p99',
      measured: `${ms(0.5)} / ${ms(0.95)} / ${ms(0.99)} ms`,
      target: `p99 ≤ ${TARGET_MS} ms: two frames`,
      met: quantile(apart, 0.99) <= TARGET_MS,
      includes: `${number(ladder.rungs)} rungs${ladder.segments > 0 ? ` and ${number(ladder.segments)} captured segments` : ', nothing captured (no CAP_NET_RAW)'}; ${STEPS} steps of the wheel, one a frame; longest ${Math.max(...apart).toFixed(1)} ms, and ${settled.toFixed(1)} ms when it stood still again`,
    },
  ];
}
