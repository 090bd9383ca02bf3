// The comparison as a person sees it: the only file here that knows how that part of the page is marked up.

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
