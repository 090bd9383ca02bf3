// The lessons as a person sees them. The only file here that knows how they are marked up.

import assert from 'node:assert/strict';

import { eventually } from './wait.js';

/** How long a run of a few seconds may take on a busy machine, in ms. */
const RUN_MS = 60_000;

export class Lessons {
  constructor(page) {
    this.page = page;
  }

  at(testid) {
    return this.page.getByTestId(testid);
  }

  /** Goes to a lesson: `heartbeat` or `http`. */
  async open(lesson) {
    await this.at('mode-lessons').click();
    await this.at('lessons').waitFor();
    await this.choose('lesson', lesson);
  }

  /** The name of what has the focus. */
  async focused() {
    return this.page.evaluate(() => document.activeElement?.getAttribute('data-testid'));
  }

  /** One of a few radio buttons drawn as one control. */
  async choose(group, value) {
    const radio = this.at(`${group}-${value}`);
    if (!(await radio.isChecked())) await this.page.locator(`label:has([data-testid="${group}-${value}"])`).click();
  }

  // ---- heartbeat

  /** Fills in the settings of a run, in seconds. */
  async set({ idle, silence, watch, userTimeout }) {
    for (const [field, value] of Object.entries({ idle, silence, watch })) {
      if (value !== undefined) await this.at(`heartbeat-${field}`).fill(String(value));
    }
    await this.at('heartbeat-with-user-timeout').setChecked(userTimeout !== undefined);
    if (userTimeout !== undefined) await this.at('heartbeat-userTimeout').fill(String(userTimeout));
  }

  async start() {
    await this.at('heartbeat-start').click();
  }

  /** Waits for a phase of the run: silent, asking, done, stopped, failed. */
  async waitForPhase(phase) {
    await this.page.locator(`[data-testid="heartbeat"][data-phase="${phase}"]`).waitFor({ timeout: RUN_MS });
  }

  async phase() {
    return this.at('heartbeat').getAttribute('data-phase');
  }

  /** Waits until the middlebox has forgotten a connection and the page shows it. */
  async waitForForgotten(lane) {
    await this.page.locator(`[data-testid="heartbeat-lane"][data-lane="${lane}"][data-forgotten="true"]`).waitFor({ timeout: RUN_MS });
  }

  /** What the page says of each connection, by its name. */
  async lanes() {
    const lanes = await this.at('heartbeat-lane').evaluateAll((all) =>
      all.map(({ dataset }, i) => ({
        lane: dataset.lane,
        socket: dataset.socket,
        verdict: dataset.verdict,
        errno: dataset.errno,
        forgotten: dataset.forgotten === 'true',
        outcome: all[i].querySelector('[data-testid="heartbeat-outcome"]').textContent,
        text: all[i].innerText,
      })),
    );
    return Object.fromEntries(lanes.map((lane) => [lane.lane, lane]));
  }

  /** Whether the page says that a hidden tab may have delayed what was measured. */
  async saysHidden() {
    return (await this.at('heartbeat-hidden').count()) === 1;
  }

  /** The runs that are remembered, the newest last, each as one line. */
  async runs() {
    return this.at('heartbeat-runs').locator('tbody tr').evaluateAll((rows) => rows.map((row) => row.textContent));
  }

  /** What the page says is wrong with a setting; empty when nothing is. */
  async complaint(field) {
    return (await this.at(`heartbeat-${field}-wrong`).innerText()).trim();
  }

  // ---- HTTP

  /** Has the client ask: of the practice server, or of `url`. */
  async ask({ url, connection, times } = {}) {
    await this.choose('http-server', url === undefined ? 'practice' : 'url');
    if (url !== undefined) await this.at('http-url').fill(url);
    if (connection !== undefined) await this.choose('http-connection', connection);
    if (times !== undefined) await this.choose('http-times', String(times));
    await this.at('http-ask').click();
  }

  /** Waits for the client's answers and tells what it says of them. */
  async answers(count) {
    await this.at('http-answer').nth(count - 1).waitFor();
    return this.at('http-answer').evaluateAll((all) => all.map(({ dataset }) => ({ status: Number(dataset.status), socket: dataset.socket, reused: dataset.reused === 'true' })));
  }

  /** Sends what is typed by hand and waits for the answer with this number; tells what is said of it. */
  async sendByHand(number) {
    await this.at('http-send').click();
    const answer = this.page.locator('[data-testid="http-hand-answer"][data-state="complete"]').nth(number - 1);
    await answer.waitFor();
    await eventually('the answer is read to its end', async () => (await this.at('http-send').isEnabled()));
    return answer.evaluate((element) => ({
      socket: element.dataset.socket,
      framing: element.dataset.framing,
      parts: [...element.querySelectorAll('[data-part]')].map((part) => [part.dataset.part, part.querySelector('.name').textContent, part.querySelector('.raw').textContent]),
    }));
  }

  /** Whether both sides' requests, or answers, were the same, and what is said to differ. */
  async same(which) {
    const found = this.at(`http-same-${which}`);
    await found.waitFor();
    return found.evaluate((element) => ({
      identical: element.dataset.identical === 'true',
      expected: element.dataset.expected === 'true',
      differences: [...element.querySelectorAll('tbody th')].map((name) => name.textContent),
      text: element.innerText,
    }));
  }

  /** The story of each socket: whose it is, and its steps in order. */
  async stories() {
    return this.at('http-socket').evaluateAll((all) => all.map((row) => ({ socket: row.dataset.socket, who: row.dataset.who, steps: [...row.querySelectorAll('[data-step]')].map((step) => step.dataset.step) })));
  }
}

// ---- what the server says

export async function story(server, socket) {
  return (await server.must('GET', `/events?socket=${socket}&limit=10000`)).events;
}

/** The bytes of one direction of a socket. */
export async function carried(server, socket, type) {
  const events = await story(server, socket);
  return Buffer.concat(events.filter((event) => event.type === type).map((event) => Buffer.from(event.payload, 'base64')));
}

/** Everything that is still alive in the workspace, practice peers included. */
export async function alive(server) {
  const { sockets } = await server.must('GET', '/sockets?hidden=true');
  return sockets.filter(({ closed_seq: closed }) => closed === null).map(({ id, name, practice }) => `${id} ${name ?? practice}`);
}

export async function nothingAlive(server) {
  await eventually('nothing of the lesson is left', async () => assert.deepEqual(await alive(server), []));
}
