// The views of the kernel as a person sees them. The only file here that knows how they are marked up.

import { eventually } from './wait.js';

/** How long the kernel's word of a state may take to be drawn, in ms. */
const TOLD_MS = 15_000;

export class Kernel {
  constructor(page, screen) {
    this.page = page;
    this.screen = screen;
  }

  at(testid) {
    return this.page.getByTestId(testid);
  }

  /** Looks at a socket in one of the tabs: `state`, `figures` or `stream`. */
  async look(socket, tab) {
    await this.screen.selectSocket(socket);
    await this.at(`tab-${tab}`).click();
    await this.at(`panel-${tab}`).waitFor();
  }

  /** Waits until an end (`ours` or `peer`) is in a state. */
  async waitForState(end, state) {
    await this.page.locator(`[data-testid="end-${end}"][data-state="${state}"]`).first().waitFor({ timeout: TOLD_MS });
  }

  /** The states an end went through and how each is known, as the list says. */
  async path(end) {
    return this.at(`end-${end}`).first().locator('[data-testid="end-path"] li').evaluateAll((steps) => steps.map(({ dataset }) => ({ state: dataset.state, evidence: dataset.evidence })));
  }

  /** Where a token stands on the graph. */
  async token(end) {
    return this.at(`token-${end}`).first().getAttribute('data-state');
  }

  /** What the timer of an end says. */
  async timer(end) {
    return this.at(`end-${end}`).first().getByTestId('end-timer').innerText();
  }

  /** The accept queue as it is drawn. */
  async queue() {
    return this.at('queue').evaluate(({ dataset }) => ({ length: Number(dataset.length), limit: Number(dataset.limit), accepting: dataset.accepting === 'true' }));
  }

  /** The places of the accept queue that are taken. */
  async taken() {
    return this.at('queue-slots').locator('[data-taken="true"]').count();
  }

  /** What became of the sends, counted and in words. */
  async verdict() {
    return this.at('stream-verdict').evaluate((element) => ({
      sticky: Number(element.dataset.sticky),
      split: Number(element.dataset.split),
      writes: Number(element.dataset.writes),
      reads: Number(element.dataset.reads),
      text: element.innerText,
    }));
  }

  /** One of a few radio buttons drawn as one control. */
  async choose(group, value) {
    const radio = this.at(`${group}-${value}`);
    if (!(await radio.isChecked())) await this.page.locator(`label:has([data-testid="${group}-${value}"])`).click();
  }

  // ---- the close laboratory

  async openLaboratory() {
    await this.at('mode-lessons').click();
    await this.choose('lesson', 'closing');
    await this.at('closing-start').click();
    await this.page.locator('[data-testid="closing"][data-phase="open"]').waitFor();
  }

  /** Does something to an end: `shutdown`, `close`, `unread`, `reset` or `sending`. */
  async act(who, deed) {
    await this.at(`closing-${who}-${deed}`).click();
  }

  /** Which end is in TIME_WAIT: `client`, `server`, `both`, `reset` or `none`. */
  async waits(expected) {
    return eventually(`it says who waits: ${expected}`, async () => (await this.at('closing').getAttribute('data-waits')) === expected);
  }

  /** What the programs saw: whose it was and what happened. */
  async calls() {
    return this.at('closing-calls').locator('tbody tr').evaluateAll((rows) => rows.map(({ dataset, innerText }) => ({ who: dataset.who, type: dataset.type, text: innerText })));
  }

  /** The ids of both ends. */
  async ends() {
    return { client: await this.at('closing-end-client').getAttribute('data-socket'), server: await this.at('closing-end-server').getAttribute('data-socket') };
  }

  /** Tries the four cases of SO_REUSEADDR and answers what became of each. */
  async reuse() {
    await this.at('closing-reuse-run').click();
    await this.page.locator('[data-testid="closing-reuse"][data-trying="0"] [data-testid="closing-case"][data-old="true"][data-fresh="true"]:is([data-result="bound"], [data-result="refused"])').waitFor({ timeout: 30_000 });
    return this.at('closing-case').evaluateAll((rows) => rows.map(({ dataset }) => ({ old: dataset.old === 'true', fresh: dataset.fresh === 'true', result: dataset.result, errno: dataset.errno })));
  }
}

/** A listener, a client and what was accepted of it, all of the workspace. */
export async function pair(server, options = {}) {
  const listener = await server.must('POST', '/sockets', { open: 'tcp-listen://127.0.0.1:0', options });
  const client = await server.must('POST', '/sockets', { open: `tcp://${listener.local}` });
  const accepted = await eventually('it is accepted', async () => (await server.must('GET', '/sockets')).sockets.find(({ parent }) => parent === listener.id) ?? false);
  return { listener, client, accepted };
}
