// One test: a server, a Chromium page that is logged in, and a watch on everything that must never happen.

import { mkdir } from 'node:fs/promises';
import { after, test as nodeTest } from 'node:test';
import { fileURLToPath } from 'node:url';

import axe from 'axe-core';

import { launch } from './chromium.js';
import { Screen } from './screen.js';
import { startServer } from './server.js';

const RESULTS = new URL('../results/', import.meta.url);
const SCREENSHOTS = new URL('../../../docs/screenshots/', import.meta.url);
const TEST_TIMEOUT_MS = 90_000;
/** How long a single click or wait may take. */
const ACTION_TIMEOUT_MS = 15_000;

// One browser a file; a context of its own a test.
let launched;
function browser() {
  launched ??= launch();
  return launched;
}
after(async () => (await launched)?.close());

/**
 * Defines a test. `options`: `args` and `env` for the server, `context` for the browser context (locale, colorScheme, viewport…),
 * `allow`: patterns of console errors this test provokes on purpose, `login: false` to stay outside.
 */
export function test(name, options, body) {
  if (typeof options === 'function') [options, body] = [{}, options];
  nodeTest(name, { timeout: TEST_TIMEOUT_MS }, async () => {
    const fixture = new Fixture(name, options);
    const failures = [];
    try {
      await fixture.start();
      await body(fixture);
      fixture.checkWatch();
    } catch (error) {
      failures.push(error);
      await fixture.keepEvidence();
    }
    failures.push(...(await fixture.end()));
    if (failures.length > 0) throw failures[0];
  });
}

class Fixture {
  #name;
  #options;
  #faults = [];
  #cleanups = [];

  constructor(name, options) {
    this.#name = name;
    this.#options = options;
  }

  async start() {
    this.server = await startServer({ args: this.#options.args, env: this.#options.env });
    this.cleanup(() => this.server.stop());
    this.context = await this.newContext(this.#options.context);
    this.page = await this.context.newPage();
    this.screen = new Screen(this.page);
    if (this.#options.login !== false) {
      await this.page.goto(this.server.link);
      await this.screen.ready();
    }
  }

  /** A further browser profile: another person. Every page in it is watched. */
  async newContext(options = {}) {
    const context = await (await browser()).newContext({
      locale: 'en-US',
      viewport: { width: 1280, height: 800 },
      reducedMotion: 'reduce',
      ...options,
    });
    context.setDefaultTimeout(ACTION_TIMEOUT_MS);
    this.cleanup(() => context.close());
    await context.addInitScript({ content: axe.source });
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        console.error(`csp violation: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
      });
    });
    context.on('page', (page) => this.#watch(page));
    return context;
  }

  #watch(page) {
    const fault = (kind, text) => {
      const allowed = (this.#options.allow ?? []).some((pattern) => pattern.test(text));
      if (!allowed) this.#faults.push(`${kind}: ${text}`);
    };
    const heard = (message) => {
      if (['error', 'warning', 'assert'].includes(message.type())) {
        fault(`console ${message.type()}`, `${message.text()} (${message.location().url})`);
      }
    };
    page.on('console', heard);
    page.on('worker', (worker) => worker.on('console', heard));
    // No test provokes these on purpose, so none may allow them.
    page.on('pageerror', (error) => this.#faults.push(`uncaught: ${error.stack ?? String(error)}`));
    page.on('crash', () => this.#faults.push('the page crashed'));
    page.on('dialog', (dialog) => {
      fault('dialog', dialog.message());
      return dialog.dismiss();
    });
  }

  /** Runs at the end, last registered first, whatever happened. */
  cleanup(work) {
    this.#cleanups.push(work);
  }

  /** Registers a peer from peers.js for closing. */
  async using(peer) {
    const opened = await peer;
    this.cleanup(() => opened.close());
    return opened;
  }

  /** Fails on any console error, uncaught exception, dialog or policy violation so far. */
  checkWatch() {
    if (this.#faults.length > 0) throw new Error(`the page complained:\n  ${this.#faults.join('\n  ')}`);
  }

  /** Fails on anything axe finds on the page as it stands. */
  async checkAccessibility(page = this.page) {
    const violations = await page.evaluate(async () => {
      const result = await window.axe.run(document, { resultTypes: ['violations'] });
      return result.violations.map(({ id, help, nodes }) => ({
        id,
        help,
        nodes: nodes.map((node) => `${node.target.join(' ')}: ${node.failureSummary}`),
      }));
    });
    if (violations.length > 0) throw new Error(`axe: ${JSON.stringify(violations, null, 2)}`);
  }

  /** A picture for the documentation: rewritten with UPDATE_SCREENSHOTS=1, else only taken. */
  async screenshot(name, page = this.page) {
    const folder = process.env.UPDATE_SCREENSHOTS === '1' ? SCREENSHOTS : RESULTS;
    await mkdir(folder, { recursive: true });
    await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, folder)), animations: 'disabled', caret: 'hide' });
  }

  /** What somebody reading a failure wants to see. */
  async keepEvidence() {
    const file = this.#name.replace(/[^a-z0-9]+/gi, '-').slice(0, 80);
    try {
      await mkdir(RESULTS, { recursive: true });
      await this.page?.screenshot({ path: fileURLToPath(new URL(`failed-${file}.png`, RESULTS)), timeout: 5_000 });
    } catch (error) {
      console.error(`no screenshot of the failure: ${error.message}`);
    }
    if (this.#faults.length > 0) console.error(`the page complained:\n  ${this.#faults.join('\n  ')}`);
    if (this.server?.log) console.error(`the server's log:\n${this.server.log.slice(-4_000)}`);
  }

  /** Closes everything; answers what went wrong in doing so. */
  async end() {
    const failures = [];
    for (const work of this.#cleanups.reverse()) {
      await Promise.resolve(work()).catch((error) => failures.push(error));
    }
    return failures;
  }
}
