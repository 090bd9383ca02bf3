// Socket versus HTTP, measured: what the page says of each lane is what passed over the wire.

import assert from 'node:assert/strict';

import { LANES, comparing, nothingLeft, through } from './support/compare.js';
import { tcpServer } from './support/peers.js';
import { countingProxy } from './support/proxy.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

/** Figures that depend on how requests are made and messages wrapped, and not on luck with a few delays. */
const BILL = ['empty_requests', 'full_requests', 'bytes_up', 'bytes_down', 'bytes_per_event', 'data_up', 'data_down', 'acks_up', 'acks_down', 'connections'];

/** Fails unless everything that arithmetic says of the bill is so on every lane, and is said beside the figure. */
async function agreeing(compare, report) {
  for (const lane of report.lanes) {
    assert.equal(lane.predicted.requests_agree, true, `${lane.name}: ${JSON.stringify(lane)}`);
    for (const name of BILL) assert.equal(lane.predicted.figures[name]?.agrees, true, `${lane.name}: ${name}: ${JSON.stringify(lane)}`);
    for (const figure of ['requests', 'empty', 'full', 'up', 'down', 'perEvent', 'data', 'acks', 'connections']) {
      const { text, agrees } = await compare.predicted(figure, lane.name);
      assert.ok(agrees && /predicted/.test(text), `${lane.name}: ${figure}: ${text}`);
    }
    assert.match(await compare.at('figure-cpu').locator(`[data-lane="${lane.name}"]`).innerText(), /no prediction: it is the machine’s/);
  }
}

test('bytes and requests of every lane are what a relay in front of the server counts', { login: false }, async (t) => {
  const { server, page } = t;
  const proxy = await t.using(countingProxy(server.port));
  const meters = new Map();
  page.on('response', async (response) => {
    const id = /\/meters\/(m\d+)$/.exec(response.url())?.[1];
    // A body that is gone with its page was not the last one.
    if (id !== undefined && response.request().method() === 'GET') meters.set(id, await response.json().catch(() => meters.get(id)));
  });
  await through(proxy.port, server, page);
  const compare = await comparing(page);
  await compare.set({ rate: 20, payload: 200, seconds: 10, poll: 0.5 });
  await compare.start.click();
  assert.equal(await compare.ending(), 'whole');
  const report = await compare.report();
  assert.equal(report.complete, true, JSON.stringify(report));
  assert.ok(report.sent > 120 && report.sent < 290, `200 messages are due, ${report.sent} came`);
  for (const [index, name] of LANES.entries()) {
    const lane = report.lanes.find((lane) => lane.name === name);
    const passed = proxy.of(`m${index + 1}`);
    const [up, down] = ['up', 'down'].map((way) => passed.reduce((sum, request) => sum + request[way], 0));
    assert.equal(lane.requests, passed.length, `${name}: requests`);
    for (const [what, said, wire] of [['up', lane.bytes_up, up], ['down', lane.bytes_down, down]]) {
      assert.ok(Math.abs(said - wire) <= wire * 0.01, `${name}: ${said} bytes ${what} are said, ${wire} passed`);
    }
    assert.deepEqual([lane.events, lane.missing, lane.complete], [report.sent, 0, true], name);
    const meter = await eventually(`the meter of ${name} was read`, () => meters.get(`m${index + 1}`) ?? false);
    for (const field of ['requests', 'empty_requests', 'full_requests', 'bytes_up', 'bytes_down', 'body_down', 'connections', 'cpu_us']) {
      assert.equal(lane[field], meter[field], `${name}: ${field}`);
    }
    assert.equal(await compare.cell('requests', name), lane.requests.toLocaleString('en'));
    assert.equal(await compare.cell('complete', name), 'every byte, in order');
  }
  await agreeing(compare, report);
  const [short, long, sse, ws] = report.lanes;
  assert.deepEqual([sse.requests, ws.requests, sse.connections, ws.connections], [1, 1, 1, 1]);
  assert.ok(short.predicted.requests_agree && long.predicted.requests_agree, JSON.stringify([short, long]));
  assert.ok(short.delay_ms.mean > 180 && short.delay_ms.mean < 320, `half an interval on average: ${short.delay_ms.mean}`);
  assert.ok(ws.delay_ms.p50 < 60 && sse.delay_ms.p50 < 60 && long.delay_ms.p50 < 60, JSON.stringify([long, sse, ws]));
  assert.ok(report.reference.p50 < ws.delay_ms.p50, 'nothing beats the raw socket');
  assert.equal(short.delay_ms.p99, null);
  assert.ok(report.clock_uncertainty_ms > 0 && report.clock_uncertainty_ms < 20);

  const asked = await compare.stretch('short_poll');
  assert.ok(asked.requests >= 17 && asked.requests <= 21 && asked.pushes === 0, JSON.stringify(asked));
  for (const name of ['sse', 'websocket']) {
    const spoke = await compare.stretch(name);
    assert.ok(spoke.requests === 0 && spoke.pushes > 100, `${name}: ${JSON.stringify(spoke)}`);
  }
  await nothingLeft(server);
});

test('binary batches bring every event, and cost what a relay counts', { login: false }, async (t) => {
  const { server, page } = t;
  const proxy = await t.using(countingProxy(server.port));
  await through(proxy.port, server, page);
  const compare = await comparing(page);
  await compare.follow('#compare?rate=20&payload=1000&seconds=4&poll=0.5&websocket=binary');
  await compare.start.click();
  assert.equal(await compare.ending(), 'whole');
  const report = await compare.report();
  assert.equal(report.complete, true, JSON.stringify(report));
  const [ws, sse] = [report.lanes[3], report.lanes[2]];
  const [request, ...more] = proxy.of('m4');
  assert.match(request.line, /binary=1/);
  assert.deepEqual([more.length, ws.bytes_up, ws.bytes_down], [0, request.up, request.down]);
  assert.deepEqual([ws.events, ws.missing, ws.complete], [report.sent, 0, true]);
  assert.ok(ws.bytes_down < sse.bytes_down, 'without base64 it is less, page around it or not');
  await agreeing(compare, report);
});

test('a report is JSON, CSV and a picture, and a link brings its settings back without starting anything', async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.follow('#compare?rate=50&payload=32&seconds=2&poll=0.25&arrivals=regular&websocket=binary');
  await compare.at('compare-linked').waitFor();
  assert.deepEqual([await compare.value('rate'), await compare.value('seconds'), await compare.phase()], ['50', '2', 'none']);
  await compare.start.click();
  assert.equal(await compare.ending(), 'whole');
  const report = await compare.report();
  assert.deepEqual(report.settings, { rate: 50, seconds: 2, payload: 32, viewers: 1, poll_interval: 0.25, server: new URL(server.origin).host, regular: true, source: 'ticker', websocket: 'binary' });
  const csv = await compare.saved('compare-csv');
  const lines = csv.bytes.toString().trimEnd().split('\r\n');
  assert.deepEqual(lines.map((line) => line.split(',')[0]), ['lane', 'raw_socket', ...LANES]);
  const png = await compare.saved('compare-png');
  assert.deepEqual([...png.bytes.subarray(1, 4)], [...Buffer.from('PNG')]);
  assert.ok(png.bytes.length > 5_000, 'there is something on it');
  await nothingLeft(server);
});

test('a source that floods is cut where it was due, and does not stop the page', async (t) => {
  const { page, server } = t;
  const peer = await t.using(tcpServer((socket) => {
    const chunk = Buffer.alloc(65_536, 'x');
    const flood = () => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', flood);
    flood();
  }));
  const { id } = await server.must('POST', '/sockets', { open: peer.target, name: 'theirs' });
  const compare = await comparing(page);
  await compare.at('compare-source').selectOption(id);
  await compare.set({ seconds: 5, poll: 0.25 });
  await page.evaluate(() => {
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
    }).observe({ type: 'longtask' });
  });
  await compare.start.click();
  const ending = await compare.ending();
  const report = await compare.report();
  const longest = await page.evaluate(() => globalThis.longest);
  if (process.env.SHOW_FLOOD) console.log(ending, longest, JSON.stringify(report, null, 1));
  assert.ok(report.sent > 100, `${report.sent} events`);
  for (const lane of report.lanes) {
    assert.ok(lane.body_down <= lane.bytes_down, `${lane.name}: ${lane.body_down} of ${lane.bytes_down}`);
    assert.ok(lane.events <= report.sent, lane.name);
    assert.doesNotMatch(await compare.at('figure-down').locator(`[data-lane="${lane.name}"]`).innerText(), /[-−]\d/);
  }
  assert.ok(longest < 2000, `the page stood still for ${longest} ms`);
});

test('a hidden tab is said, and what came meanwhile is in no delay', async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 40, seconds: 4, poll: 0.1 });
  await compare.start.click();
  await compare.waitForPhase('running');
  // A browser without windows hides no tab: the page is told what a browser with windows would tell it.
  const hide = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  await hide(true);
  await eventually('some time passes unseen', async () => /[1-9]\.\d s/.test((await compare.warnings()).join()));
  await hide(false);
  assert.equal(await compare.ending(), 'whole');
  await compare.waitForWarning(/hidden for [1-9]/);
  const report = await compare.report();
  for (const lane of report.lanes) {
    assert.ok(lane.not_timed > 10, `${lane.name}: ${lane.not_timed} not timed`);
    assert.equal(lane.delay_ms.samples + lane.not_timed, report.sent, JSON.stringify(lane));
    assert.equal(lane.complete, true, 'hidden or not, nothing is lost');
  }
  await nothingLeft(server);
});

test('a tab that is still hidden at the end was hidden no longer than the run', async ({ page }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 40, seconds: 2, poll: 0.1 });
  await compare.start.click();
  await compare.waitForPhase('running');
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  assert.equal(await compare.ending(), 'whole');
  const said = async () => Number(/hidden for ([\d.]+) s/.exec((await compare.warnings()).join())?.[1]);
  const before = await said();
  // Whatever makes the page say it again says the same; a change of language does.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await page.getByTestId('language').click();
  await page.getByTestId('language').click();
  assert.ok(before > 0 && before < 4, `${before} s`);
  assert.equal(await said(), before);
});

test('requests the browser keeps back for want of connections are said, and are not latency', async ({ page }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 20, seconds: 6, poll: 0.2 });
  await compare.start.click();
  await compare.waitForPhase('running');
  // Of six connections to this host two are the long poll's and the stream's; these take the others for two seconds.
  // Without credentials, as the page asks: a browser keeps such requests' connections apart from others.
  await page.evaluate(async () => {
    const token = sessionStorage.getItem('sockscope-token');
    const hold = (_, i) => fetch(`/api/v1/workspaces/default/events?after=head&type=dropped&wait=2&limit=${String(i + 1)}`, { headers: { Authorization: `Bearer ${token}` }, cache: 'no-store', credentials: 'omit' });
    await Promise.all(Array.from({ length: 6 }, hold));
  });
  assert.equal(await compare.ending(), 'whole');
  await compare.waitForWarning(/six connections/);
  const report = await compare.report();
  const short = report.lanes[0];
  assert.ok(short.not_timed > 5, `${short.not_timed} not timed`);
  assert.ok(short.delay_ms.max < 1000, `kept back for about two seconds, and not measured as latency: ${short.delay_ms.max}`);
  assert.equal(short.complete, true, JSON.stringify(report));
});

test('how cost grows: a thousand real clients on each way miss nothing, in bounded time', async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 5, poll: 0.5 });
  await compare.chooseViewers([1000]);
  await compare.at('growth-start').click();
  await compare.waitForGrowth('done');
  const rows = await compare.growth();
  assert.deepEqual(rows.map(({ lane, viewers }) => `${lane} ${viewers}`), LANES.map((lane) => `${lane} 1000`));
  for (const { lane, viewers, cells } of rows) {
    assert.equal(cells.at(-1), '1,000 of 1,000', lane);
    assert.equal(cells[2], '25', `${lane}: five seconds of five messages, as on every lane`);
    if (lane === 'sse' || lane === 'websocket') assert.equal(cells[3], '0', 'a push costs no request');
    else assert.ok(Number(cells[3].replace(',', '')) > viewers, `${lane}: ${cells[3]} requests a second`);
  }
  await compare.at('chart-growth').locator('canvas').waitFor();
  const csv = (await compare.saved('growth-csv')).bytes.toString();
  assert.equal(csv.trimEnd().split('\r\n').length, 1 + LANES.length);
  await nothingLeft(server);
});
