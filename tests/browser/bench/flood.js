// Fifty thousand events a second: does the page stay smooth, how much does it hold, and is every row right?

import { compareRows, flood, LINE_BYTES } from '../support/flood.js';
import { eventually } from '../support/wait.js';
import { heapOf } from './heap.js';
import { quantile, wallUs } from './page.js';

const RATE = 50_000;
/** A sender's timers are late now and then: it is asked for a little more than is promised. */
const ASKED = RATE * 1.01;
const FRAMES = 1.5;
const HEAP_MIB = 200;
const POSITIONS = 60;
const MIB = 1024 * 1024;

/** Notes in the page how far its frames are apart. */
function countFrames() {
  window.frames_ = [];
  let last = 0;
  let stopped = false;
  window.stopFrames = () => {
    stopped = true;
    return window.frames_;
  };
  requestAnimationFrame(function frame(now) {
    if (last > 0) window.frames_.push(now - last);
    last = now;
    if (!stopped) requestAnimationFrame(frame);
  });
}

/** The distances between frames while something happens, in ms. */
async function framesDuring(page, work) {
  await page.evaluate(countFrames);
  await work();
  return page.evaluate(() => window.stopFrames());
}

export async function measureFlood({ server, page, screen, context }, quick) {
  const seconds = quick ? 3 : 10;
  const sender = await flood(server);
  await page.locator('[data-testid="timeline-row"][data-type="connected"]').waitFor();
  const heap = await heapOf(context, page);
  const idle = await framesDuring(page, () => page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 5_000))));

  let most = 0;
  let watching = true;
  const watcher = (async () => {
    while (watching) {
      most = Math.max(most, await heap());
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  const count = RATE * seconds;
  const busy = await framesDuring(page, () => sender.send(count, ASKED));
  const { head, last } = await eventually('all is recorded', async () => {
    const { counters, id } = await server.must('GET', `/sockets/${sender.id}`);
    if (counters.received_bytes < count * LINE_BYTES) return false;
    const { head } = await server.must('GET', '/events?after=head');
    const { events } = await server.must('GET', `/events?after=${head - 1}&socket=${id}`);
    return { head, last: events[0] };
  }, 60_000);
  const shown = await eventually('the page has all of it', () =>
    page.evaluate((head) => {
      const digits = document.querySelector('[data-testid="timeline-count"]').textContent.replaceAll(/[^0-9]/g, '');
      return Number(digits) === head && performance.timeOrigin + performance.now();
    }, head), 60_000);
  watching = false;
  await watcher;
  const after = await heap();
  most = Math.max(most, after);

  const { events: [first] } = await server.must('GET', `/events?after=0&limit=1&socket=${sender.id}&type=received`);
  const { counters } = await server.must('GET', `/sockets/${sender.id}`);
  const rate = (counters.received_events / (last.t_us - first.t_us)) * 1e6;

  let compared = 0;
  const shares = [0, 1, ...Array.from({ length: POSITIONS - 2 }, () => Math.random())];
  let [firstSeen, lastSeen] = [Infinity, 0];
  for (const share of shares) {
    const rows = await screen.rowsAt(share);
    compared += await compareRows(server, rows);
    firstSeen = Math.min(firstSeen, rows[0].seq);
    lastSeen = Math.max(lastSeen, rows.at(-1).seq);
  }
  const kept = await server.must('GET', '/events?after=head');
  if (firstSeen !== kept.first || lastSeen !== kept.head) throw new Error(`rows ${firstSeen}–${lastSeen} were seen, ${kept.first}–${kept.head} are retained`);
  sender.close();
  // A row that is wrong has ended this by now.
  const right = compared > 0;

  const [calm, full] = [quantile(idle, 0.95), quantile(busy, 0.95)];
  const number = (value) => Math.round(value).toLocaleString('en');
  return [
    { figure: 'events recorded and followed', measured: `${number(rate)}/s`, target: `≥ ${number(RATE)}/s`, met: rate >= RATE, includes: `${number(counters.received_events)} reads of 64 bytes over ${((last.t_us - first.t_us) / 1e6).toFixed(1)} s, by the log's own seqs and times; the page had the last ${number(Math.max(0, shown - wallUs(last.at) / 1000))} ms after it was read` },
    { figure: 'frame p95, flooded', measured: `${full.toFixed(1)} ms: ${(full / calm).toFixed(2)} ×`, target: `≤ ${FRAMES} × idle`, met: full <= FRAMES * calm, includes: `${busy.length} frames, p50 ${quantile(busy, 0.5).toFixed(1)}, p99 ${quantile(busy, 0.99).toFixed(1)}, longest ${Math.max(...busy).toFixed(1)} ms` },
    { figure: 'frame p95, idle', measured: `${calm.toFixed(1)} ms`, includes: `${idle.length} frames of the same page before, p99 ${quantile(idle, 0.99).toFixed(1)} ms` },
    { figure: 'page heap afterwards', measured: `${(after / MIB).toFixed(0)} MiB`, target: `≤ ${HEAP_MIB} MB`, met: after <= HEAP_MIB * 1e6, includes: `both threads, objects and buffers, garbage included; most at any time ${(most / MIB).toFixed(0)} MiB` },
    { figure: 'rows right', measured: `${number(compared)} of ${number(compared)}`, target: 'all', met: right, includes: `${POSITIONS} places scrolled to, the first and the last row among them; seq, length and text against \`GET events\` and what was sent` },
  ];
}
