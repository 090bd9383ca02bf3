// axe finds nothing, everything works by keyboard, and a phone is wide enough.

import assert from 'node:assert/strict';

import { tabTo } from './support/keyboard.js';
import { test } from './support/test.js';

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };

for (const colorScheme of ['light', 'dark']) {
  for (const locale of ['en-US', 'zh-CN']) {
    for (const viewport of [WIDE, NARROW]) {
      const context = { colorScheme, locale, viewport };
      test(`axe finds nothing: ${colorScheme}, ${locale}, ${viewport.width} px`, { context }, async (t) => {
        const { server, screen } = t;
        await t.checkAccessibility();

        const { id } = await server.openPractice('echo', 'echo');
        await server.openPractice('daytime');
        await server.api('POST', '/sockets', { open: 'tcp://169.254.169.254:80' });
        await server.must('POST', '/sockets', { open: 'tcp-listen://127.0.0.1:0' });
        await server.must('POST', `/sockets/${id}/send`, { text: 'hello, 世界' });
        await screen.selectSocket(id);
        await screen.waitForEvent('received', 'hello');
        await screen.selectLastEvent('received');
        await t.checkAccessibility();
        await assertNoSidewaysScroll(t.page);

        await screen.openLadder();
        // It opens at what is selected; how much lies around it in sight depends on how long all took.
        await screen.waitForRung('recv');
        await t.checkAccessibility();
        await assertNoSidewaysScroll(t.page);
      });
    }
  }
}

async function assertNoSidewaysScroll(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} px wide in a window of ${window}`);
}

test('at 390 px one can still open, send and read', { context: { viewport: NARROW, hasTouch: true, isMobile: true } }, async ({ screen }) => {
  await screen.startPractice('echo');
  await screen.waitForSocket({ state: 'open' });
  await screen.send('small');
  await screen.waitForEvent('received', 'small');
});

test('a conversation by keyboard alone', async ({ page, screen }) => {
  // No click anywhere in this test: Tab until the named control has the focus.
  await tabTo(page, screen.practiceButton('echo'));
  await page.keyboard.press('Enter');
  await screen.waitForSocket({ state: 'open' });
  await tabTo(page, screen.composer);
  await page.keyboard.type('by keyboard');
  await page.keyboard.press('Enter');
  await screen.waitForEvent('received', 'by keyboard');

  await tabTo(page, screen.timeline);
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await screen.waitForDetail();
  await tabTo(page, screen.addressBar);
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('udp-bind://127.0.0.1:0');
  await page.keyboard.press('Enter');
  await screen.waitForSocket({ role: 'bound', state: 'open' });
});
