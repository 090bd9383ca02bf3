// The page without a mouse.

/** Presses Tab until the focus is in `target`; fails after going all round the page. */
export async function tabTo(page, target) {
  for (let presses = 0; presses < 150; presses += 1) {
    if (await target.evaluate((element) => element === document.activeElement || element.contains(document.activeElement))) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never reaches ${target}`);
}
