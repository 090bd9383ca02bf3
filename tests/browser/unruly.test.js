// Whatever is clicked and typed in whatever order, under traffic: nothing may break. What the page says on its console,
// throws, or does against its policy fails the test; so does a page that no longer follows.

import assert from 'node:assert/strict';

import { flood } from './support/flood.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

const ACTS = 400;
const KEYS = ['ArrowDown', 'ArrowUp', 'ArrowLeft', 'ArrowRight', 'Home', 'End', 'PageUp', 'PageDown', 'Enter', 'Escape', 'Tab', '+', '-', '0', 'l', 'p', 's', 't', '/', 'F2', 'Delete', 'x', ' '];
const WIDTHS = [1440, 1280, 1000, 700, 390];

/** Numbers that look random and are the same in every run. */
function dice(seed) {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 0x7fffffff;
    return state % below;
  };
}

/** Clicks one of the things that can be clicked, the n-th of those in the document. */
function clickSomething(n) {
  const all = [...document.querySelectorAll('button:not(:disabled), [role="row"], [role="option"], [role="tab"], summary, input[type="checkbox"], input[type="radio"]')]
    // A chooser of files belongs to the browser, and a page without a token has nothing left to click.
    .filter((element) => element.checkVisibility() && element.nextElementSibling?.type !== 'file' && element.previousElementSibling?.type !== 'file');
  const chosen = all[n % all.length];
  chosen?.click();
}

// What is stopped twice, sent to a socket that is gone, or opened to a peer that is, is refused, which the browser logs.
const allow = [/responded with a status of (4\d\d|502|504)/];

for (const seed of [1, 2026]) {
  test(`nothing breaks under four hundred unruly acts (${seed})`, { allow, context: { permissions: ['clipboard-read', 'clipboard-write'] } }, async (t) => {
    const { page, screen, server } = t;
    const roll = dice(seed);
    const sender = await t.using(flood(server));
    for (const peer of ['echo', 'daytime', 'silent']) await server.openPractice(peer, peer);
    await server.must('POST', '/sockets', { open: 'udp-bind://127.0.0.1:0' });
    const sent = sender.send(20_000, 2_000);
    for (let act = 0; act < ACTS; act += 1) {
      const what = roll(10);
      if (what < 6) await page.evaluate(clickSomething, roll(10_000));
      else if (what < 9) await page.keyboard.press(KEYS[roll(KEYS.length)]);
      else await page.setViewportSize({ width: WIDTHS[roll(WIDTHS.length)], height: 500 + roll(400) });
      t.checkWatch();
    }
    await sent;

    // Afterwards it is the page it was.
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.reload();
    await screen.ready();
    // A wide inspector is remembered, and leaves the timeline no room in this window.
    const wide = page.locator('[data-testid="inspector-wide"][aria-pressed="true"]');
    if (await wide.isVisible()) await wide.click();
    await screen.resetFilters();
    const { id } = await server.openPractice('greeter', 'afterwards');
    await screen.at('socket-list').focus();
    // The newest is the last; it is listed as soon as the page has heard of it.
    await eventually('it is selected', async () => {
      await page.keyboard.press('End');
      return page.locator(`[data-testid="socket-row"][data-socket="${id}"][aria-selected="true"]`).isVisible();
    });
    await screen.send('still here');
    await screen.waitForEvent('sent', 'still here');
    await eventually('every socket is listed', async () => {
      const { sockets } = await server.must('GET', '/sockets');
      assert.ok(sockets.length > 0);
      return Number(await page.locator('[data-testid="socket-row"]').first().getAttribute('aria-setsize')) >= sockets.length;
    });
  });
}
