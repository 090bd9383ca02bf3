// The page as a person sees it. The only file here that knows how it is marked up.

import { readFile } from 'node:fs/promises';

import { eventually } from './wait.js';

export class Screen {
  constructor(page) {
    this.page = page;
    this.addressBar = this.at('address-input');
    this.composer = this.at('composer-input');
    this.timeline = this.at('timeline-list');
  }

  at(testid) {
    return this.page.getByTestId(testid);
  }

  // ---- getting in

  async ready() {
    await this.page.locator('[data-testid="link-state"][data-state="live"]').waitFor({ state: 'attached' });
    await this.at('app').waitFor();
  }

  async waitForLocked() {
    await this.at('locked').waitFor();
  }

  async unlock(linkOrToken) {
    await this.at('locked-input').fill(linkOrToken);
    await this.at('locked-enter').click();
  }

  async waitForLockedError() {
    await eventually('the locked screen says why', async () => (await this.at('locked-error').innerText()).trim() !== '');
  }

  /** `lost` or `restarted`. */
  async waitForBanner(kind, timeout) {
    await this.at(`banner-${kind}`).waitFor({ timeout });
  }

  // ---- the address bar

  async type(target) {
    await this.#dismissNotices();
    await this.addressBar.fill(target);
  }

  async addressText() {
    return this.addressBar.inputValue();
  }

  async submitAddress() {
    await this.addressBar.press('Enter');
  }

  async open(target) {
    await this.type(target);
    await this.submitAddress();
  }

  /** The sentence below the bar, once it says what was typed can be opened, or cannot. */
  async understanding({ valid }) {
    await this.page.locator(`[data-testid="address-input"][aria-invalid="${String(!valid)}"]`).waitFor();
    return this.at('address-meaning').innerText();
  }

  // ---- sockets and practice peers

  async startPractice(peer) {
    await this.#pane('sockets');
    await this.practiceButton(peer).click();
  }

  practiceButton(peer) {
    return this.at(`practice-${peer}`);
  }

  /** The kinds on the shelf, in order. */
  async practicePeers() {
    const buttons = this.page.locator('[data-testid="practice-shelf"] button.peer');
    await buttons.first().waitFor();
    return buttons.evaluateAll((all) => all.map((button) => button.dataset.testid.replace('practice-', '')));
  }

  /** Waits for a socket in the list and answers its id. */
  async waitForSocket({ id, state, role }) {
    await this.#pane('sockets');
    const wanted = Object.entries({ socket: id, state, role })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `[data-${name}="${value}"]`)
      .join('');
    const row = this.page.locator(`[data-testid="socket-row"]${wanted}`).first();
    await row.waitFor();
    return row.getAttribute('data-socket');
  }

  async selectSocket(id) {
    await this.#pane('sockets');
    const row = this.page.locator(`[data-testid="socket-row"][data-socket="${id}"]`);
    // A connection that is just accepted comes in above its client and moves it from under the pointer.
    await eventually(`${id} is selected`, async () => {
      await row.click();
      return (await row.getAttribute('aria-selected')) === 'true';
    });
  }

  async showAllSockets() {
    await this.#pane('sockets');
    await this.at('all-sockets').click();
  }

  /** One of the selected socket's actions: `half-close`, `close`, `reset`, `duplicate`, `reopen`, `remove`… */
  async act(action) {
    await this.#dismissNotices();
    await this.#pane('sockets');
    await this.at(`action-${action}`).click();
  }

  async rename(name) {
    await this.act('rename');
    await this.at('rename-input').fill(name);
    await this.at('rename-input').press('Enter');
  }

  // ---- the composer

  /** `mode`: text, escapes or hex. */
  async send(text, { mode = 'text' } = {}) {
    await this.#pane('timeline');
    await this.#choose('mode', mode);
    await this.composer.fill(text);
    await this.page.locator('[data-testid="composer-send"]:enabled').waitFor();
    await this.composer.press('Enter');
    await eventually('the composer is empty again', async () => (await this.composer.inputValue()) === '');
  }

  async sendTo(address, text) {
    await this.#pane('timeline');
    await this.at('composer-to').fill(address);
    await this.send(text);
  }

  /** Chooses who is answered on a listener, by address. */
  async pickClient(address) {
    const picker = this.at('composer-client');
    const option = picker.locator('option', { hasText: address });
    await option.waitFor({ state: 'attached' });
    await picker.selectOption(await option.getAttribute('value'));
  }

  // ---- the timeline

  rows(type, text) {
    const rows = this.page.locator(`[data-testid="timeline-row"]${type ? `[data-type="${type}"]` : ''}`);
    return text === undefined ? rows : rows.filter({ hasText: text });
  }

  async waitForEvent(type, text) {
    await this.#pane('timeline');
    await this.rows(type, text).first().waitFor();
  }

  async selectLastEvent(type) {
    await this.#pane('timeline');
    await eventually('the last event is selected', async () => {
      const seqs = await this.rows(type).evaluateAll((rows) => rows.map((row) => Number(row.dataset.seq)));
      if (seqs.length === 0) return false;
      const last = this.page.locator(`[data-testid="timeline-row"][data-seq="${Math.max(...seqs)}"]`);
      await last.click();
      return (await last.getAttribute('aria-selected')) === 'true';
    });
  }

  /** The contents of all rows there are, in order, in sight or not. */
  async eventTexts(type) {
    await this.#pane('timeline');
    if ((await this.timeline.count()) === 0) return [];
    return this.timeline.evaluate(async (list, type) => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const before = list.scrollTop;
      const found = new Map();
      list.scrollTop = 0;
      for (;;) {
        await frame();
        for (const row of list.querySelectorAll('[data-testid="timeline-row"]')) {
          if (type === undefined || row.dataset.type === type) found.set(Number(row.dataset.seq), row.querySelector('.content')?.textContent.trim() ?? '');
        }
        if (list.scrollTop + list.clientHeight >= list.scrollHeight - 1) break;
        list.scrollTop += list.clientHeight / 2;
      }
      list.scrollTop = before;
      return [...found].sort(([a], [b]) => a - b).map(([, text]) => text);
    }, type);
  }

  /** The seqs of the rows in sight, in order. */
  async visibleSeqs() {
    return this.timeline.evaluate((list) => {
      const { top, bottom } = list.getBoundingClientRect();
      return [...list.querySelectorAll('[data-testid="timeline-row"]')]
        .filter((row) => {
          const box = row.getBoundingClientRect();
          return box.top >= top - 1 && box.bottom <= bottom + 1;
        })
        .map((row) => Number(row.dataset.seq))
        .sort((a, b) => a - b);
    });
  }

  /**
   * Scrolls so that about this share of all rows lies above, waits until the rows there are drawn in full, and answers
   * them: seq, type, length and text as a person reads them.
   */
  async rowsAt(share) {
    await this.timeline.evaluate((list, share) => (list.scrollTop = (list.scrollHeight - list.clientHeight) * share), share);
    return eventually(`the rows at ${share} are drawn`, async () => {
      const rows = await this.timeline.evaluate(async (list) => {
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        const { top, bottom } = list.getBoundingClientRect();
        return [...list.querySelectorAll('[data-testid="timeline-row"]')]
          .filter((row) => row.getBoundingClientRect().top >= top - 1 && row.getBoundingClientRect().bottom <= bottom + 1)
          .map((row) => ({
            seq: Number(row.dataset.seq),
            type: row.dataset.type,
            len: Number(row.querySelector('.len')?.textContent.replaceAll(',', '')),
            text: row.querySelector('.bytes.text')?.textContent,
          }));
      });
      // Older rows are fetched when they are scrolled to.
      return rows.length > 0 && rows.every(({ seq, type, text }) => seq > 0 && (type !== 'received' || text !== '')) ? rows.sort((a, b) => a.seq - b.seq) : false;
    });
  }

  /** As with the wheel, far. */
  async scroll(direction) {
    await this.timeline.hover();
    await this.page.mouse.wheel(0, direction === 'up' ? -10_000_000 : 10_000_000);
  }

  async waitForFollowing(following) {
    await this.at('jump-latest').waitFor({ state: following ? 'detached' : 'visible' });
  }

  /** Whether the page says that there are new events below. */
  async saysUnseen() {
    return /[1-9]/.test(await this.at('jump-latest').innerText());
  }

  async pause() {
    await this.at('pause-view').click();
    await this.page.locator('[data-testid="pause-view"][aria-pressed="true"]').waitFor();
  }

  async resume() {
    await this.at('pause-view').click();
    await this.page.locator('[data-testid="pause-view"][aria-pressed="false"]').waitFor();
  }

  /** The notice that the view stands still while so many events wait. */
  async waitForPausedNotice(count) {
    await this.at('resume-view').filter({ hasText: String(count) }).waitFor();
  }

  async clear() {
    await this.at('clear-log').click();
    await this.at('clear-confirm').click();
  }

  /** `nothing`, `paused` or `filtered`; answers the sentence. */
  async emptyState(kind) {
    await this.at(`empty-${kind}`).waitFor();
    return this.at(`empty-${kind}`).innerText();
  }

  /** `text`, `hex` or `split`. */
  async showAs(view) {
    await this.#choose('view', view);
  }

  /** `absolute`, `relative` or `delta`. */
  async showTime(time) {
    await this.#choose('time', time);
  }

  /** The texts of the time column of rows of a type, in sight. */
  async times(type) {
    return this.rows(type).locator('.time').allInnerTexts();
  }

  /** Hides what does not say `text`; empty shows everything again. */
  async filterText(text) {
    await this.at('search-only').setChecked(text !== '');
    await this.at('search').fill(text);
  }

  /** `all`, `sent` or `received`. */
  async filterDirection(direction) {
    await this.#choose('direction', direction);
  }

  /** Leaves only these types. */
  async filterTypes(...types) {
    await this.at('types').locator('summary').click();
    const boxes = this.at('types').locator('input[type="checkbox"]');
    for (const box of await boxes.all()) {
      await box.setChecked(types.includes((await box.getAttribute('data-testid')).replace('type-', '')));
    }
    await this.at('types').locator('summary').click();
  }

  async showAllTypes() {
    await this.at('types').locator('summary').click();
    await this.at('types').locator('button').click();
    await this.at('types').locator('summary').click();
  }

  /** After a reload nothing is filtered but what is remembered: how bytes are shown and read. */
  async resetFilters() {
    await this.showAs('text');
    await this.#choose('mode', 'text');
    await this.at('composer-ending').selectOption('none');
    await this.at('composer-enter').selectOption('sends');
  }

  /** Goes to the next (or with `previous`, the previous) row that says `text`. */
  async search(text, { previous = false } = {}) {
    if ((await this.at('search').inputValue()) !== text) await this.at('search').fill(text);
    await this.at('search').press(previous ? 'Shift+Enter' : 'Enter');
  }

  /** The text of the selected row, if it is in sight. */
  async selectedText() {
    const row = this.page.locator('[data-testid="timeline-row"][aria-selected="true"]');
    return (await row.count()) === 1 ? row.innerText() : undefined;
  }

  /** What the timeline says of a socket that failed. */
  async failureSentence() {
    await this.#pane('timeline');
    const row = this.page.locator('[data-testid="timeline-row"]:is([data-type="failed"], [data-type="refused_by_policy"]) .content');
    await row.last().waitFor();
    return row.last().innerText();
  }

  // ---- the inspector

  async waitForDetail() {
    await this.#pane('detail');
    await this.at('tab-detail').click();
    await this.at('detail').waitFor();
  }

  async openLadder() {
    await this.#pane('detail');
    await this.at('tab-ladder').click();
    await this.at('ladder').waitFor();
  }

  /** How much there is on the ladder: calls and states, and captured segments. */
  async ladderCounts() {
    const { rungs, segments } = await this.at('ladder').evaluate(({ dataset }) => ({ ...dataset }));
    return { rungs: Number(rungs), segments: Number(segments) };
  }

  /** Waits for a call on a side of the ladder: `ours` or `peer`. */
  async waitForRung(call, side = 'ours') {
    await this.at('ladder-stage').locator(`[role="option"][data-side="${side}"]`, { hasText: call }).first().waitFor();
  }

  async copyConversation() {
    await this.#pane('detail');
    await this.at('tab-detail').click();
    await this.at('copy-conversation-text').click();
  }

  /** Downloads the conversation of the selected socket: `text` or `jsonl`. */
  async exportAs(format) {
    const saved = await this.#saved(format);
    return readFile(saved, 'utf8');
  }

  /** The bytes of a capture, of the selected socket or of everything. */
  async exportCapture() {
    return readFile(await this.#saved('pcapng'));
  }

  async #saved(format) {
    await this.#pane('detail');
    await this.at('tab-detail').click();
    const downloading = this.page.waitForEvent('download');
    await this.at(`export-${format}`).click();
    return (await downloading).path();
  }

  /** Waits for what the list says is wrong with a socket, and answers it. */
  async waitForTrouble(id, pattern) {
    await this.#pane('sockets');
    const trouble = this.page.locator(`[data-testid="socket-row"][data-socket="${id}"] [data-testid="socket-trouble"]`, { hasText: pattern });
    await trouble.waitFor();
    return trouble.innerText();
  }

  /** Why the composer does not send. */
  async waitForWhyNot(pattern) {
    await this.#pane('timeline');
    await this.at('composer-why').filter({ hasText: pattern }).waitFor();
  }

  /** Everything the inspector says of a selected socket, field by field. */
  async socketCard() {
    await this.#pane('detail');
    await this.at('tab-detail').click();
    return this.at('socket-card').locator('dl').innerText();
  }

  /** Sets an option of the selected socket. */
  async setOption(name, value) {
    await this.#pane('detail');
    await this.at('tab-detail').click();
    await this.at('option-name').selectOption(name);
    await this.at('option-value').fill(value);
    await this.at('option-set').click();
  }

  /** Types a value an option cannot have; answers what is said of it. */
  async wrongOption(name, value) {
    await this.#pane('detail');
    await this.at('tab-detail').click();
    await this.at('option-name').selectOption(name);
    await this.at('option-value').fill(value);
    const said = await this.at('option-wrong').innerText();
    if (!(await this.at('option-set').isDisabled())) throw new Error('it could be set all the same');
    return said;
  }

  /** The sentence of a notice, once there is one that says so. */
  async waitForNotice(pattern) {
    await this.at('notice').filter({ hasText: pattern }).first().waitFor();
    return this.at('notice').filter({ hasText: pattern }).first().innerText();
  }

  /** Whether nothing of an element is cut off by the list it is in. */
  async isWhollyInSight(element, list) {
    const [inner, outer] = [await element.boundingBox(), await list.boundingBox()];
    return inner !== null && inner.y >= outer.y - 1 && inner.y + inner.height <= outer.y + outer.height + 1;
  }

  // ---- the panes

  splitter(pane) {
    return this.at(`splitter-${pane}`);
  }

  /** How wide the side panes are drawn. */
  async paneWidths() {
    const width = async (pane) => Math.round((await this.page.locator(`#pane-${pane}`).boundingBox()).width);
    return { sockets: await width('sockets'), detail: await width('detail') };
  }

  async timelineWidth() {
    return (await this.at('timeline').boundingBox()).width;
  }

  async dragSplitter(pane, by) {
    const box = await this.splitter(pane).boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    await this.page.mouse.move(x + by / 2, y);
    await this.page.mouse.move(x + by, y);
    await this.page.mouse.up();
  }

  async ladderIsNarrow() {
    return (await this.at('ladder').locator('svg.rails.narrow').count()) === 1;
  }

  async setLanguage(language) {
    await this.at('language').selectOption(language);
  }

  // ---- how it is built

  /** On a narrow page one pane is shown at a time. */
  async #pane(name) {
    const button = this.at(`pane-${name}`);
    if (await button.isVisible()) await button.click();
  }

  /** One of a few radio buttons drawn as one control. */
  async #choose(group, value) {
    const radio = this.at(`${group}-${value}`);
    if (!(await radio.isChecked())) await this.page.locator(`label:has([data-testid="${group}-${value}"])`).click();
  }

  /** Notices lie over other controls until somebody reads them. */
  async #dismissNotices() {
    const buttons = this.at('notice').locator('button');
    while ((await buttons.count()) > 0) await buttons.first().click();
  }
}
