// A server and the page in front of it, as a person would have them.

import { launch } from '../support/chromium.js';
import { Screen } from '../support/screen.js';
import { startServer } from '../support/server.js';

/** Everything is waited for this long at most. */
const PATIENCE_MS = 60_000;

export async function openPage() {
  const server = await startServer();
  const browser = await launch();
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  // A page that broke has no speed.
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.stack ?? String(error)));
  const screen = new Screen(page);
  await page.goto(server.link);
  await screen.ready();
  return {
    server,
    page,
    screen,
    context,
    version: browser.version(),
    async close() {
      await browser.close();
      await server.stop();
      if (faults.length > 0) throw new Error(`the page complained:\n${faults.join('\n')}`);
    },
  };
}

/** The value below which this share of the values lies. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}

/** Wall-clock µs of an event's `at`. */
export function wallUs(at) {
  return Date.parse(`${at.slice(0, 23)}Z`) * 1000 + Number(at.slice(23, 26));
}
