// Socket versus HTTP, measured: what the page says of each lane is what passed over the wire.

import assert from 'node:assert/strict';

import { CompareScreen, LANES } from './support/compare.js';
import { tcpServer, udpPeer } from './support/peers.js';
import { countingProxy } from './support/proxy.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

/** The page of a test, looked at as the comparison. */
async function comparing(page) {
  const compare = new CompareScreen(page);
  await compare.go();
  return compare;
}

/** Fails unless nothing that a comparison starts is left on the server: no meter, no crowd, no open socket. */
async function nothingLeft(server, most = 8) {
  await eventually('nothing is left on the server', async () => {
    const { sockets } = await server.must('GET', '/sockets?hidden=true');
    assert.deepEqual(sockets.filter(({ closed_seq }) => closed_seq === null).map(({ id, target }) => `${id} ${target}`), []);
    for (let number = 1; number <= most; number += 1) {
      assert.equal((await server.api('GET', `/meters/m${number}`)).status, 404, `meter m${number}`);
      assert.equal((await server.api('GET', `/crowds/n${number}`)).status, 404, `crowd n${number}`);
    }
  });
}

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

/** Logs in through another origin than the server's own, with a link that was not used. */
async function through(port, server, page) {
  await page.goto(server.link.replace(/^http:\/\/[^/]+/, `http://127.0.0.1:${port}`));
  await page.getByTestId('app').waitFor();
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

test('a setting out of range is refused with the range before anything starts', async ({ page, server }) => {
  const compare = await comparing(page);
  for (const [field, value, range] of [
    ['rate', '0.05', /0\.1.*1,000/],
    ['rate', 'fast', /0\.1.*1,000/],
    ['payload', '15', /16.*65,536/],
    ['seconds', '0', /1.*3,600/],
    ['poll', '61', /0\.01.*60/],
  ]) {
    const before = await compare.value(field);
    await compare.set({ [field]: value });
    await compare.start.click();
    const said = await compare.said(field);
    assert.ok(said.wrong && range.test(said.text), `${field} ${value}: ${JSON.stringify(said)}`);
    assert.equal(await compare.phase(), 'none');
    await compare.set({ [field]: before });
  }
  await compare.set({ rate: 1000, payload: 65_536 });
  await compare.start.click();
  assert.match((await compare.said('rate')).text, /4 MiB/);
  assert.deepEqual((await server.must('GET', '/sockets?hidden=true')).sockets, []);
});

test('a source that dies ends the run with what was measured, marked incomplete', async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 20, seconds: 60, poll: 0.2 });
  await compare.start.click();
  await compare.waitForPhase('running');
  await eventually('something has come', async () => (await compare.cell('mean', 'websocket')) !== '–');
  const { sockets } = await server.must('GET', '/sockets?hidden=true');
  await server.must('DELETE', `/practice/${sockets.find(({ practice, parent }) => practice === 'ticker' && parent === null).id}`);
  assert.equal(await compare.ending(), 'died');
  assert.match(await compare.sentence(), /source ended before its time/);
  const report = await compare.report();
  assert.equal(report.complete, false);
  assert.ok(report.sent > 5 && report.lanes.every(({ events }) => events > 0), JSON.stringify(report));
  assert.equal(report.ending, 'died');
  assert.match(await compare.at('compare-incomplete').innerText(), /incomplete: the source ended early/);
  for (const { name, predicted } of report.lanes) {
    assert.equal(predicted, null, 'what did not run as it was set can be held against nothing');
    assert.match(await compare.cell('complete', name), /in order.*(until|when) the source ended/);
  }
  assert.equal(await page.locator('[data-testid="compare-results"] .expected').count(), 0);
  await nothingLeft(server);
});

test('somebody else’s source that says goodbye early is marked in the table too', async (t) => {
  const { page, server } = t;
  const peer = await t.using(tcpServer((socket) => {
    const timer = setInterval(() => socket.write('tick'), 50);
    setTimeout(() => {
      clearInterval(timer);
      socket.end();
    }, 3000);
  }));
  const { id } = await server.must('POST', '/sockets', { open: peer.target, name: 'theirs' });
  const compare = await comparing(page);
  await compare.at('compare-source').selectOption(id);
  await compare.set({ seconds: 30, poll: 0.2 });
  await compare.start.click();
  assert.equal(await compare.ending(), 'died');
  await compare.at('compare-incomplete').waitFor();
  for (const name of LANES) assert.match(await compare.cell('complete', name), /the source ended/);
});

test('a source that says nothing is said to have said nothing', async (t) => {
  const { page, server } = t;
  const peer = await t.using(tcpServer());
  const { id } = await server.must('POST', '/sockets', { open: peer.target, name: 'theirs' });
  const compare = await comparing(page);
  await compare.at('compare-source').selectOption(id);
  await compare.set({ seconds: 1, poll: 0.2 });
  await compare.start.click();
  assert.equal(await compare.ending(), 'whole');
  assert.match(await compare.sentence(), /0 messages/);
  assert.equal(await page.locator('[data-testid="compare-results"] .expected').count(), 0, 'nothing came, so nothing agrees');
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

test('a lane that breaks says why, and the others run on', { login: false, allow: [/WebSocket connection/] }, async (t) => {
  const { server, page } = t;
  const proxy = await t.using(countingProxy(server.port));
  await through(proxy.port, server, page);
  const compare = await comparing(page);
  await compare.set({ rate: 20, seconds: 4, poll: 0.2 });
  await compare.start.click();
  await compare.waitForPhase('running');
  assert.equal(proxy.cut(/\/ws\?.*meter=/), 1);
  await compare.waitForWarning(/WebSocket broke: the WebSocket was closed, code 1006/);
  assert.equal(await compare.ending(), 'broke');
  const report = await compare.report();
  assert.deepEqual(report.lanes.map(({ complete }) => complete), [true, true, true, false]);
  assert.match(report.lanes[3].broke, /1006/);
  await nothingLeft(server);
});

test('a server that goes away ends the run with a sentence', { allow: [/ERR_|Failed to load|WebSocket connection/] }, async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 20, seconds: 60, poll: 0.2 });
  await compare.start.click();
  await compare.waitForPhase('running');
  await eventually('something has come', async () => (await compare.cell('mean', 'websocket')) !== '–');
  await server.kill();
  assert.equal(await compare.ending(), 'failed');
  assert.match(await compare.sentence(), /does not answer/);
  const report = await compare.report();
  assert.ok(report.lanes.every(({ events }) => events > 0), 'what was measured stays');
  assert.ok(report.seconds > 0.5, `it ran for ${report.seconds} s`);
  assert.deepEqual(report.lanes.map(({ predicted }) => predicted), [null, null, null, null]);
  assert.match(await compare.at('compare-incomplete').innerText(), /the run failed/);
  assert.match(await compare.cell('complete', 'sse'), /until the run failed/);
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

test('a poll that is rarer than the run is long is hinted at, and waited for with a sentence', async ({ page }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 20, seconds: 2, poll: 6 });
  await compare.at('compare-slow-poll').waitFor();
  await compare.start.click();
  await compare.waitForPhase('running');
  await eventually('it says what it waits for', async () => /has had its 2 s; waiting.*within 6 s/.test(await compare.sentence()));
  assert.equal(await compare.ending(), 'whole');
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

// The new tab asks first whether the server needs a token, and then the tab that has one.
test('another tab that compares at the same time is said', { allow: [/401/] }, async ({ context, page, server }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 10, seconds: 8, poll: 1 });
  await compare.start.click();
  await compare.waitForPhase('running');
  const second = await context.newPage();
  await second.goto(server.origin);
  await second.getByTestId('app').waitFor();
  const other = await comparing(second);
  await other.set({ rate: 10, seconds: 60, poll: 1 });
  await other.start.click();
  await other.waitForWarning(/1 other tab/);
  await compare.waitForWarning(/1 other tab/);
  await other.waitForPhase('running');
  // As a person closes a tab, while it compares.
  await second.close({ runBeforeUnload: true });
  assert.equal(await compare.ending(), 'whole');
  await nothingLeft(server);
});

test('leaving the page ends everything it started', async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 10, seconds: 60, poll: 0.5 });
  await compare.start.click();
  await compare.waitForPhase('running');
  assert.equal((await server.api('GET', '/meters/m4')).status, 200);
  await page.goto('about:blank');
  await nothingLeft(server);
});

test('a page that is put away and shown again has ended everything, and compares anew', async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 20, seconds: 60, poll: 0.2 });
  await compare.start.click();
  await compare.waitForPhase('running');
  // This browser keeps no page: the page is told what one that does would tell it.
  const tell = (type) => page.evaluate((type) => dispatchEvent(new PageTransitionEvent(type, { persisted: true })), type);
  await tell('pagehide');
  await nothingLeft(server);
  await tell('pageshow');
  assert.equal(await compare.ending(), 'stopped');
  await compare.set({ seconds: 1 });
  await compare.start.click();
  await compare.waitForPhase('running');
  assert.equal(await compare.ending(), 'whole');
  // And really left, and come back to by the browser's own button.
  await compare.set({ seconds: 60 });
  await compare.start.click();
  await compare.waitForPhase('running');
  await page.goto('about:blank');
  await nothingLeft(server, 16);
  await page.goBack();
  await page.getByTestId('app').waitFor();
  const again = await comparing(page);
  await again.set({ rate: 20, seconds: 1, poll: 0.2 });
  await again.start.click();
  assert.equal(await again.ending(), 'whole');
});

test('leaving the page ends its crowds', async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.chooseViewers([10]);
  await compare.at('growth-start').click();
  await eventually('the crowd is there', async () => (await server.api('GET', '/crowds/n1')).body?.ready === 10);
  await page.goto('about:blank');
  await nothingLeft(server);
});

test('stopping ends everything and keeps what was measured', async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 20, seconds: 60, poll: 0.2 });
  await compare.start.click();
  await compare.waitForPhase('running');
  await eventually('something has come', async () => (await compare.cell('mean', 'short_poll')) !== '–');
  await compare.start.click();
  assert.equal(await compare.ending(), 'stopped');
  const report = await compare.report();
  assert.ok(!report.complete && report.lanes.every(({ events }) => events > 0));
  await nothingLeft(server);
});

test('a socket that is open already can be the source', async (t) => {
  const { page, server } = t;
  const peer = await t.using(tcpServer((socket) => {
    const timer = setInterval(() => socket.write('tick of somebody else\n'), 50);
    socket.on('close', () => clearInterval(timer));
  }));
  const { id } = await server.must('POST', '/sockets', { open: peer.target, name: 'theirs' });
  await eventually('it has received something before', async () => (await server.must('GET', `/sockets/${id}`)).counters.received_bytes > 0);
  const compare = await comparing(page);
  await compare.at('compare-source').selectOption(id);
  await compare.set({ seconds: 3, poll: 0.25 });
  await compare.start.click();
  assert.equal(await compare.ending(), 'whole');
  const report = await compare.report();
  assert.equal(report.settings.source, id);
  assert.ok(report.sent > 20, `${report.sent} events`);
  for (const lane of report.lanes) {
    assert.ok(lane.complete && lane.delay_ms.samples > 20, JSON.stringify(lane));
    assert.equal(lane.delay_ms.samples + lane.not_timed, report.sent, `${lane.name}: what came before all lanes were connected is in no delay`);
    const mean = await compare.at('figure-mean').locator(`[data-lane="${lane.name}"]`).innerText();
    if (lane.not_timed > 0) assert.match(mean, /not timed: came before all lanes were connected/);
  }
  assert.equal(report.premises.arrivals, 'unknown');
  assert.match(await compare.at('figure-mean').locator('[data-lane="short_poll"]').innerText(), /no verdict, nobody knows how they come/);
  assert.match(await compare.at('evidence-connection').innerText(), /at most \d/);
  assert.equal((await server.must('GET', `/sockets/${id}`)).state, 'open', 'it is not this page’s to close');
});

for (const kind of ['udp', 'udp-bind']) {
  test(`datagrams can be the source, one a message: ${kind}`, async (t) => {
    const { page, server } = t;
    const peer = await t.using(udpPeer());
    const target = kind === 'udp' ? `udp://${peer.address}` : 'udp-bind://127.0.0.1:0';
    const { id } = await server.must('POST', '/sockets', { open: target, name: 'theirs' });
    const { local } = await eventually('it is bound', async () => {
      const socket = await server.must('GET', `/sockets/${id}`);
      return socket.local === null ? false : socket;
    });
    const timer = setInterval(() => peer.send('a datagram', local), 50);
    t.cleanup(() => clearInterval(timer));
    const compare = await comparing(page);
    await compare.at('compare-source').selectOption(id);
    await compare.set({ seconds: 2, poll: 0.25 });
    await compare.start.click();
    assert.equal(await compare.ending(), 'whole');
    const report = await compare.report();
    assert.ok(report.sent > 20, `${report.sent} datagrams`);
    assert.equal(report.reference, null, 'when its peer sent is not known');
    for (const lane of report.lanes) {
      assert.ok(lane.complete && lane.delay_ms.samples > 20, JSON.stringify(lane));
      assert.equal(lane.events, report.sent, lane.name);
      assert.equal(lane.predicted.figures.bytes_down, undefined, 'nobody knows what comes, so nothing is said of its bytes');
    }
    assert.equal((await server.must('GET', `/sockets/${id}`)).state, 'open', 'it is not this page’s to close');
  });
}

test('a reading under way when the run ends finds what it reads', async ({ page, server }) => {
  const compare = await comparing(page);
  let removed = () => undefined;
  const removal = new Promise((resolve) => {
    removed = () => resolve('removed');
  });
  // One look at a meter is held from the middle of the run: until a meter is removed, or longer than the run has left.
  let held;
  await page.route(/\/meters\/m\d+/, async (route) => {
    if (route.request().method() === 'DELETE') removed();
    else if (held === undefined && (await compare.status.getAttribute('data-phase')) === 'running') {
      held = Promise.race([removal, new Promise((resolve) => setTimeout(() => resolve('outlived'), 4000))]);
      await held;
    }
    await route.continue();
  });
  await compare.set({ rate: 20, seconds: 2, poll: 0.25 });
  await compare.start.click();
  assert.equal(await compare.ending(), 'whole');
  assert.equal(await held, 'outlived', 'no meter is removed while one is being read');
  await nothingLeft(server);
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

test('how cost grows does not depend on how late the last poll is', async ({ page }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 5, poll: 20 });
  await compare.chooseViewers([10]);
  await compare.at('growth-start').click();
  await compare.waitForGrowth('done');
  const rows = await compare.growth();
  assert.deepEqual(rows.map(({ cells }) => [cells[2], cells.at(-1)]), LANES.map(() => ['25', '10 of 10']));
  // One question of each of ten viewers in five seconds.
  assert.equal(rows[0].cells[3], '2');
  const [, , sse] = rows.map(({ cells }) => Number(cells[6]));
  assert.ok(sse > 200 && sse < 500, `${sse} bytes a message and viewer`);
});

test('more viewers than there are connections are refused clearly', { args: ['--max-connections', '64'], allow: [/429/] }, async ({ page, server }) => {
  const compare = await comparing(page);
  await compare.chooseViewers([100]);
  await compare.at('growth-start').click();
  await compare.waitForGrowth('done');
  assert.match(await compare.at('growth-sentence').innerText(), /100 viewers were refused.*64/);
  assert.deepEqual(await compare.growth(), []);
  await nothingLeft(server);
});

test('a comparison by keyboard alone', async ({ page }) => {
  const compare = new CompareScreen(page);
  await page.keyboard.press('2');
  await compare.at('compare').waitFor();
  for (const [field, value] of [['rate', '50'], ['seconds', '1'], ['poll', '0.1']]) {
    await tabTo(page, compare.at(`compare-${field}`));
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type(value);
  }
  await page.keyboard.press('Enter');
  assert.equal(await compare.ending(), 'whole');
  await tabTo(page, page.locator('[data-testid="figure-mean"] summary'));
  await page.keyboard.press('Enter');
  assert.match(await page.locator('[data-testid="figure-mean"] details').innerText(), /JavaScript had the message/);
  for (const id of ['growth-start', 'compare-json', 'mode-instrument']) await tabTo(page, compare.at(id));
  await page.keyboard.press('Enter');
  await page.getByTestId('timeline').waitFor();
});

/** Presses Tab until the focus is in `target`; fails after going all round the page. */
async function tabTo(page, target) {
  for (let presses = 0; presses < 150; presses += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never reaches ${target}`);
}

// One run for all pictures: what it found is shown in each theme and language.
test('pictures of a finished comparison, in both languages and themes', { context: { viewport: { width: 1280, height: 900 } } }, async (t) => {
  const { page, screen } = t;
  const compare = await comparing(page);
  await compare.set({ rate: 2, seconds: 12, poll: 0.5 });
  await compare.start.click();
  assert.equal(await compare.ending(), 'whole');
  for (const [name, language, colorScheme] of [
    ['compare', 'en', 'light'],
    ['compare-dark', 'en', 'dark'],
    ['compare-zh', 'zh', 'light'],
  ]) {
    await page.emulateMedia({ colorScheme });
    await screen.setLanguage(language);
    await eventually(`it speaks ${language}`, async () => /\p{Script=Han}/u.test(await compare.sentence()) === (language === 'zh'));
    await t.checkAccessibility();
    // The page scrolls inside itself: it is made as tall as what it shows.
    await page.setViewportSize({ width: 1280, height: 900 });
    const height = await compare.at('compare').evaluate((part) => part.scrollHeight);
    await page.setViewportSize({ width: 1280, height: height + 90 });
    await compare.at('chart-bytes').locator('canvas').waitFor();
    await t.screenshot(name);
  }
});

test('a finished comparison on a narrow page, in the dark', { context: { viewport: { width: 390, height: 844 }, colorScheme: 'dark', hasTouch: true, isMobile: true } }, async (t) => {
  const compare = await comparing(t.page);
  await compare.set({ rate: 20, seconds: 2, poll: 0.25 });
  await compare.start.click();
  assert.equal(await compare.ending(), 'whole');
  const overflow = await t.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.equal(overflow, 0, 'nothing sticks out sideways');
  const part = await compare.at('compare').evaluate((element) => element.scrollWidth - element.clientWidth);
  assert.equal(part, 0, 'the table scrolls in itself');
  await compare.chooseViewers([1]);
  await compare.at('growth-start').click();
  await compare.waitForGrowth('done');
  assert.equal(await compare.at('compare').evaluate((element) => element.scrollWidth - element.clientWidth), 0, 'so do its figures of growth');
  await t.checkAccessibility();
});
