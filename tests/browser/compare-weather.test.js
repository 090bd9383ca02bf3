// A comparison under bad weather: settings, sources and lanes that are not as they should be.

import assert from 'node:assert/strict';

import { LANES, comparing, nothingLeft, through } from './support/compare.js';
import { tcpServer } from './support/peers.js';
import { countingProxy } from './support/proxy.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

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

test('a poll that is rarer than the run is long is hinted at, and waited for with a sentence', async ({ page }) => {
  const compare = await comparing(page);
  await compare.set({ rate: 20, seconds: 2, poll: 6 });
  await compare.at('compare-slow-poll').waitFor();
  await compare.start.click();
  await compare.waitForPhase('running');
  await eventually('it says what it waits for', async () => /has had its 2 s; waiting.*within 6 s/.test(await compare.sentence()));
  assert.equal(await compare.ending(), 'whole');
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
