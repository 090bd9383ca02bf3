// What a comparison follows, and that it leaves nothing behind.

import assert from 'node:assert/strict';

import { comparing, nothingLeft } from './support/compare.js';
import { tcpServer, udpPeer } from './support/peers.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

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
