// The lines between the panes: dragged, moved by keyboard, remembered; and a ladder that has room is drawn in full.

import assert from 'node:assert/strict';

import { test } from './support/test.js';
import { eventually } from './support/wait.js';

const WIDE = { width: 1440, height: 860 };

test('panes are made wider by dragging, and stay so', { context: { viewport: WIDE } }, async (t) => {
  const { screen, page } = t;
  const usual = await screen.paneWidths();
  await screen.dragSplitter('sockets', 120);
  await screen.dragSplitter('detail', -200);
  const wide = await screen.paneWidths();
  assert.deepEqual(wide, { sockets: usual.sockets + 120, detail: usual.detail + 200 });

  await page.reload();
  await screen.ready();
  assert.deepEqual(await screen.paneWidths(), wide);
  await screen.splitter('sockets').dblclick();
  await screen.splitter('detail').dblclick();
  assert.deepEqual(await screen.paneWidths(), usual);
  await page.reload();
  await screen.ready();
  assert.deepEqual(await screen.paneWidths(), usual);
});

test('panes are made wider by keyboard, and no further than the rest can bear', { context: { viewport: WIDE } }, async (t) => {
  const { screen, page } = t;
  const usual = await screen.paneWidths();
  for (const [pane, wider] of [['sockets', 'ArrowRight'], ['detail', 'ArrowLeft']]) {
    const splitter = screen.splitter(pane);
    const now = async () => Number(await splitter.getAttribute('aria-valuenow'));
    await splitter.focus();
    await page.keyboard.press(wider);
    const stepped = await now();
    assert.ok(stepped > usual[pane], `${pane}: an arrow makes it wider`);
    await page.keyboard.press(`Shift+${wider}`);
    assert.ok((await now()) - stepped > stepped - usual[pane], `${pane}: with Shift by more`);
    await page.keyboard.press('End');
    assert.equal(await now(), Number(await splitter.getAttribute('aria-valuemax')));
    assert.equal((await screen.paneWidths())[pane], await now());
    assert.ok((await screen.timelineWidth()) >= 360, 'the timeline keeps what it needs');
    await assertNoSidewaysScroll(page);
    await page.keyboard.press('Home');
    assert.equal(await now(), Number(await splitter.getAttribute('aria-valuemin')));
    assert.equal((await screen.paneWidths())[pane], await now());
    await t.checkAccessibility();
    await page.keyboard.press('Enter');
    assert.equal(await now(), usual[pane]);
  }
});

test('a window that gets narrower takes from the sides, and gives it back', { context: { viewport: WIDE } }, async ({ screen, page }) => {
  await screen.splitter('detail').focus();
  await page.keyboard.press('End');
  const wide = await screen.paneWidths();
  await page.setViewportSize({ width: 1000, height: 860 });
  await eventually('the detail gives way', async () => (await screen.paneWidths()).detail < wide.detail);
  assert.ok((await screen.timelineWidth()) >= 360);
  await assertNoSidewaysScroll(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await eventually('there is nothing to drag on a phone', () => screen.splitter('detail').isHidden());
  await page.setViewportSize(WIDE);
  await eventually('it is as wide as it was', async () => {
    assert.deepEqual(await screen.paneWidths(), wide);
  });
});

test('the end is followed and what was selected stays in sight, whatever happens to the panes', { context: { viewport: WIDE } }, async (t) => {
  const { screen, server, page } = t;
  for (let i = 0; i < 12; i += 1) await server.api('POST', '/sockets', { open: 'tcp://169.254.169.254:80' });
  const { id } = await server.openPractice('echo');
  for (let i = 1; i <= 40; i += 1) await server.must('POST', `/sockets/${id}/send`, { text: `message ${i}.` });
  // The actions of a selected socket take room from the list; it must not be the room of the last socket.
  await screen.at('socket-list').focus();
  await page.keyboard.press('End');
  await eventually('the selected socket is in sight as a whole', () => screen.isWhollyInSight(page.locator('[data-testid="socket-row"][aria-selected="true"]'), screen.at('socket-list')));
  await screen.waitForEvent('received', 'message 40.');
  await screen.dragSplitter('detail', -400);
  await screen.dragSplitter('detail', 400);
  await page.setViewportSize({ width: 1440, height: 500 });
  await page.setViewportSize(WIDE);
  await page.setViewportSize({ width: 390, height: 844 });
  for (const pane of ['detail', 'sockets', 'timeline']) await screen.at(`pane-${pane}`).click();
  await screen.waitForFollowing(true);
  await server.must('POST', `/sockets/${id}/send`, { text: 'the last.' });
  await screen.waitForEvent('received', 'the last.');
});

test('with 620 px the ladder is drawn in full, under traffic and while it is dragged', { context: { viewport: WIDE } }, async (t) => {
  const { screen, server } = t;
  const { id } = await server.openPractice('echo', 'echo');
  await screen.selectSocket(id);
  await screen.openLadder();
  await screen.waitForRung('connect');
  assert.equal(await screen.ladderIsNarrow(), true);
  let sending = true;
  const traffic = (async () => {
    while (sending) await server.must('POST', `/sockets/${id}/send`, { text: 'back and forth' });
  })();
  const before = (await screen.paneWidths()).detail;
  await screen.dragSplitter('detail', -(619 - before));
  assert.equal(await screen.ladderIsNarrow(), true);
  await screen.dragSplitter('detail', -1);
  await eventually('it has its full layout', async () => !(await screen.ladderIsNarrow()));
  assert.equal((await screen.paneWidths()).detail, 620);
  await screen.splitter('detail').press('End');
  await screen.splitter('detail').press('Home');
  await eventually('it is narrow again', () => screen.ladderIsNarrow());
  sending = false;
  await traffic;
});

async function assertNoSidewaysScroll(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} px wide in a window of ${window}`);
}
