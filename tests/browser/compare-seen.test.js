// A comparison by keyboard, and pictures of it.

import assert from 'node:assert/strict';

import { CompareScreen, comparing } from './support/compare.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

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
