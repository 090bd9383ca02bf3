// The comparison as a person sees it: the only file here that knows how that part of the page is marked up.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { eventually } from './wait.js';

export const LANES = ['short_poll', 'long_poll', 'sse', 'websocket'];

export class CompareScreen {
  constructor(page) {
    this.page = page;
    this.start = this.at('compare-start');
    this.status = this.at('compare-status');
  }

  at(testid) {
    return this.page.getByTestId(testid);
  }

  async go() {
    await this.at('mode-compare').click();
    await this.at('compare').waitFor();
  }

  /** As following a link from elsewhere in the same tab. */
  async follow(link) {
    await this.page.evaluate((hash) => {
      location.hash = hash;
    }, link);
    await this.at('compare').waitFor();
  }

  async set(settings) {
    for (const [field, value] of Object.entries(settings)) await this.at(`compare-${field}`).fill(String(value));
  }

  async value(field) {
    return this.at(`compare-${field}`).inputValue();
  }

  /** What is said below a field, and whether it is marked as wrong. */
  async said(field) {
    const wrong = (await this.at(`compare-${field}`).getAttribute('aria-invalid')) === 'true';
    return { wrong, text: await this.at(`compare-${field}-range`).innerText() };
  }

  phase() {
    return this.status.getAttribute('data-phase');
  }

  async waitForPhase(phase, timeout = 60_000) {
    await this.page.locator(`[data-testid="compare-status"][data-phase="${phase}"]`).waitFor({ timeout });
  }

  /** Waits for the end and answers how it was: `whole`, `stopped`, `died`… */
  async ending() {
    await this.waitForPhase('done');
    return this.status.getAttribute('data-ending');
  }

  sentence() {
    return this.at('compare-sentence').innerText();
  }

  warnings() {
    return this.at('compare-warning').allInnerTexts();
  }

  async waitForWarning(pattern) {
    return eventually(`it warns of ${pattern}`, async () => (await this.warnings()).some((text) => pattern.test(text)));
  }

  /** What a cell of the table shows. */
  cell(figure, lane) {
    return this.page.locator(`[data-testid="figure-${figure}"] [data-lane="${lane}"] .value`).innerText();
  }

  /** What is predicted in that cell, and whether it agrees. */
  async predicted(figure, lane) {
    const text = await this.page.locator(`[data-testid="figure-${figure}"] [data-lane="${lane}"] .expected`).innerText();
    return { text, agrees: text.includes('✓') };
  }

  async stretch(lane) {
    const data = await this.at(`stretch-${lane}`).evaluate((figure) => ({ ...figure.dataset }));
    return { requests: Number(data.requests), empty: Number(data.empty), pushes: Number(data.pushes) };
  }

  /** Saves by a button and answers what was saved. */
  async saved(button) {
    const [download] = await Promise.all([this.page.waitForEvent('download'), this.at(button).click()]);
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
  }

  /** The report as the page exports it. */
  async report() {
    return JSON.parse((await this.saved('compare-json')).bytes.toString());
  }

  // ---- how cost grows

  async chooseViewers(sizes) {
    for (const size of [1, 10, 100, 1000]) await this.at(`growth-${size}`).setChecked(sizes.includes(size));
  }

  async waitForGrowth(state, timeout = 80_000) {
    await this.page.locator(`[data-testid="compare-growth"][data-state="${state}"]`).waitFor({ timeout });
  }

  /** The rows of its table: lane, viewers, and what the cells say. */
  async growth() {
    return this.at('growth-row').evaluateAll((rows) =>
      rows.map((row) => ({ lane: row.dataset.lane, viewers: Number(row.dataset.viewers), cells: [...row.cells].map((cell) => cell.innerText) })),
    );
  }
}

/** The page of a test, looked at as the comparison. */
export async function comparing(page) {
  const compare = new CompareScreen(page);
  await compare.go();
  return compare;
}

/** Fails unless nothing that a comparison starts is left on the server: no meter, no crowd, no open socket. */
export async function nothingLeft(server, most = 8) {
  await eventually('nothing is left on the server', async () => {
    const { sockets } = await server.must('GET', '/sockets?hidden=true');
    assert.deepEqual(sockets.filter(({ closed_seq }) => closed_seq === null).map(({ id, target }) => `${id} ${target}`), []);
    for (let number = 1; number <= most; number += 1) {
      assert.equal((await server.api('GET', `/meters/m${number}`)).status, 404, `meter m${number}`);
      assert.equal((await server.api('GET', `/crowds/n${number}`)).status, 404, `crowd n${number}`);
    }
  });
}

/** Logs in through another origin than the server's own, with a link that was not used. */
export async function through(port, server, page) {
  await page.goto(server.link.replace(/^http:\/\/[^/]+/, `http://127.0.0.1:${port}`));
  await page.getByTestId('app').waitFor();
}
