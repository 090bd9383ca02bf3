import { type Kind, socketNumber } from '../model/log/columns';
import type { LogEvent } from '../model/log/log';
import { factMatches, type Matcher, matcherOf } from '../model/log/matcher';
import { type Filter, Rows, SEARCH_ROWS } from '../model/log/rows';
import type { Gap, Seq } from '../wire/generated';
import { Remote, WINDOW } from './remote.svelte';
import { scope } from './scope.svelte';
import { settings } from './settings.svelte';

/** What a line of the timeline is. */
export type Line = { readonly is: 'event'; readonly event: LogEvent } | { readonly is: 'gap'; readonly gap: Gap } | { readonly is: 'away'; readonly seq: Seq };

/** What the inspector shows, in the order of its tabs. */
export const TABS = ['detail', 'ladder', 'state', 'figures', 'stream'] as const;

/** What the inspector shows. */
export type Tab = (typeof TABS)[number];

/** The panes of a narrow page. */
export type Pane = 'sockets' | 'timeline' | 'detail';

/** What is looked at: which sockets, which rows, which event, and whether the end is followed. */
class View {
  /** The selected socket; null for all of them. */
  socket = $state<string | null>(null);
  /** The selected event. */
  seq = $state<Seq | null>(null);
  tab = $state<Tab>('detail');
  pane = $state<Pane>('timeline');
  direction = $state<Filter['direction']>('all');
  kinds = $state.raw<ReadonlySet<Kind> | null>(null);
  text = $state('');
  /** Whether rows that do not match the text are hidden. */
  only = $state(false);
  /** New events are recorded and not shown. */
  paused = $state(false);
  follow = $state(true);
  top = $state(0);
  /** Goes up when the rows have changed; what is answered about rows depends on it. */
  version = $state(0);
  /** A search runs, and so many rows are left; -1 when none does. */
  searching = $state(-1);
  /** The last search found nothing. */
  missed = $state(false);

  readonly remote = new Remote(scope.api, scope.log);
  readonly matcher = $derived(matcherOf(this.text.trim()));
  #rows = new Rows(scope.log, { sockets: null, direction: 'all', kinds: null, kernel: settings.all.kernel, matcher: undefined, without: new Set() });
  #selected: Set<number> | null = null;
  #until: number | undefined;
  #seenAtLeave = 0;
  #judging = false;
  #search = 0;
  #epoch = scope.log.epoch;

  constructor() {
    scope.onflush.push(() => {
      this.#update();
    });
  }

  /** How many lines there are. What the log lost is a line of its own, above all others. */
  get length(): number {
    void this.version;
    const events = this.older + this.#rows.length;
    return events === 0 ? 0 : this.#lead + events;
  }

  /** How many lines are events or gaps between them. */
  get count(): number {
    void this.version;
    return this.older + this.#rows.length;
  }

  /** How many events there are to be shown or hidden by filters. */
  get all(): number {
    void this.version;
    return this.older + this.#said(scope.log.base, scope.log.end);
  }

  /** Rows between two, without those of the kernel unless they are asked for. */
  #said(from: number, to: number): number {
    const asked = this.kinds !== null || settings.all.kernel;
    return to - from - (asked ? 0 : scope.log.kernelIn(from, to));
  }

  get #lead(): 0 | 1 {
    return scope.log.lost === undefined ? 0 : 1;
  }

  /** Lines at the beginning whose events only the server has; they can be told only where no filter is set. */
  get older(): number {
    void this.version;
    return this.filtered ? 0 : scope.log.older;
  }

  /** Events only the server has that a filter keeps from being placed among the rows. */
  get unplaced(): number {
    void this.version;
    return this.filtered ? scope.log.older : 0;
  }

  /**
   * Whether some rows may be hidden. The kernel's are hidden unless asked for, which is no filter here: among events
   * only the server has they are lines like any other, since which of them they are is known when they are fetched.
   */
  get filtered(): boolean {
    return this.userFiltered || (!settings.all.hidden && scope.sockets.practice.size > 0);
  }

  /** Whether the person hides rows. */
  get userFiltered(): boolean {
    return this.socket !== null || this.direction !== 'all' || this.kinds !== null || (this.only && this.matcher !== undefined);
  }

  /** New events that are not in sight: the view is paused, or does not follow. */
  get waiting(): number {
    void this.version;
    if (this.paused) return Math.max(0, this.#said(this.#until ?? 0, scope.log.end));
    return this.follow ? 0 : Math.max(0, this.#rows.length + this.#rows.dropped - this.#seenAtLeave);
  }

  /** Rows not yet looked through for the text. */
  get behind(): number {
    void this.version;
    return this.paused ? 0 : this.#rows.behind + this.#rows.away.length;
  }

  /** The filter has changed: looks at every row anew. */
  refilter(): void {
    const { socket } = this;
    this.#selected = socket === null ? null : new Set([socketNumber(socket)]);
    this.#children();
    this.#rows = new Rows(scope.log, {
      sockets: this.#selected,
      direction: this.direction,
      kinds: this.kinds,
      kernel: settings.all.kernel,
      matcher: this.only ? this.matcher : undefined,
      without: settings.all.hidden || this.#isPractice(socket) ? new Set() : scope.sockets.practice,
    });
    this.#rows.update(this.#until);
    this.#seenAtLeave = this.#rows.length;
    this.version += 1;
    this.#more();
  }

  /** Selects a socket, or all. */
  choose(socket: string | null): void {
    if (this.socket === socket) return;
    this.socket = socket;
    this.follow = true;
    this.refilter();
  }

  /** Removes every filter but the socket. */
  clearFilter(): void {
    this.direction = 'all';
    this.kinds = null;
    this.text = '';
    this.only = false;
    this.refilter();
  }

  /** The i-th line; undefined beyond the last. */
  line(i: number): Line | undefined {
    if (i >= this.length) return undefined;
    const { lost } = scope.log;
    if (i === 0 && lost !== undefined) return { is: 'gap', gap: lost };
    const { older } = this;
    const place = i - this.#lead;
    if (place < older) return this.#fetched(scope.log.serverFirst + place);
    const row = this.#rows.at(place - older);
    const gap = scope.log.gap(row);
    if (gap !== undefined) return { is: 'gap', gap };
    const event = scope.log.event(row);
    if (event === undefined) return { is: 'away', seq: 0 };
    if (!event.away) return { is: 'event', event };
    void this.remote.version;
    return { is: 'event', event: this.remote.peek(event.seq) ?? event };
  }

  /** The time of the line before, for deltas; undefined for the first. */
  timeBefore(i: number): number | undefined {
    for (let before = i - 1 - this.#lead - this.older; before >= 0; before -= 1) {
      const row = this.#rows.at(before);
      if (scope.log.kindAt(row) !== 'gap') return scope.log.timeAt(row);
    }
    return undefined;
  }

  /** Which line an event is on; -1 when it is on none. */
  lineOf(seq: Seq): number {
    void this.version;
    const row = scope.log.rowOf(seq);
    if (row < 0) return seq >= scope.log.serverFirst && seq < scope.log.first && this.older > 0 ? this.#lead + seq - scope.log.serverFirst : -1;
    const i = this.#rows.before(row);
    return i < this.#rows.length && this.#rows.at(i) === row ? this.#lead + this.older + i : -1;
  }

  /** The seq of a line; for a gap, undefined. */
  seqOf(i: number): Seq | undefined {
    const line = this.line(i);
    return line?.is === 'event' ? line.event.seq : line?.is === 'away' ? line.seq : undefined;
  }

  /** Goes to the end and follows it. */
  latest(): void {
    this.paused = false;
    this.#until = undefined;
    this.#update();
    this.follow = true;
    this.version += 1;
  }

  /** Stops or resumes showing what is new. */
  pause(paused: boolean): void {
    this.paused = paused;
    this.#until = paused ? scope.log.end : undefined;
    if (!paused) this.#update();
    this.version += 1;
  }

  /** Remembers what was seen when the end was left, to count what is new since. */
  left(): void {
    this.#seenAtLeave = this.#rows.length + this.#rows.dropped;
  }

  /** Selects the next line that matches the text, in either direction, going around once. */
  async find(step: 1 | -1): Promise<void> {
    const { matcher } = this;
    if (matcher === undefined || this.length === 0) return;
    this.#search += 1;
    const search = this.#search;
    this.missed = false;
    const count = this.length;
    const begin = this.seq === null ? (step === 1 ? -1 : 0) : this.lineOf(this.seq);
    for (let walked = 1; walked <= count; walked += 1) {
      const i = (((begin + step * walked) % count) + count) % count;
      if (walked % SEARCH_ROWS === 0) {
        this.searching = count - walked;
        await new Promise(requestAnimationFrame);
      }
      const found = await this.#matches(i, matcher);
      if (search !== this.#search) return;
      if (!found) continue;
      this.searching = -1;
      this.seq = this.seqOf(i) ?? null;
      return;
    }
    this.searching = -1;
    this.missed = true;
  }

  /** Whether an event says the text that is searched for. */
  says(event: LogEvent): boolean {
    const { matcher } = this;
    return matcher !== undefined && ((event.bytes !== undefined && matcher.bytes(event.bytes)) || factMatches(event, matcher));
  }

  #matches(i: number, matcher: Matcher): boolean | Promise<boolean> {
    const line = this.line(i);
    if (line === undefined || line.is === 'gap') return false;
    if (line.is === 'event' && !line.event.away) return this.#eventSays(line.event, matcher);
    const seq = line.is === 'event' ? line.event.seq : line.seq;
    return this.remote.load(seq).then((event) => event !== undefined && this.#eventSays(event, matcher));
  }

  #eventSays(event: LogEvent, matcher: Matcher): boolean {
    if (event.bytes !== undefined && matcher.bytes(event.bytes)) return true;
    return factMatches(event, matcher);
  }

  #fetched(seq: Seq): Line {
    void this.remote.version;
    const event = this.remote.peek(seq);
    return event === undefined ? { is: 'away', seq } : { is: 'event', event };
  }

  #isPractice(socket: string | null): boolean {
    return socket !== null && scope.sockets.practice.has(socketNumber(socket));
  }

  /** What a selected listener accepted belongs to it. */
  #children(): void {
    if (this.#selected === null || this.socket === null) return;
    for (const socket of scope.sockets.all.values()) if (socket.parent === this.socket) this.#selected.add(socketNumber(socket.id));
  }

  #update(): void {
    if (scope.log.epoch !== this.#epoch) {
      // Ids mean nothing in another log.
      this.#epoch = scope.log.epoch;
      this.socket = null;
    }
    if (scope.log.length === 0) {
      this.seq = null;
      this.refilter();
      return;
    }
    if (this.#selected !== null && scope.sockets.all.get(this.socket ?? '')?.role === 'listener') this.#children();
    const dropped = this.#rows.dropped;
    this.#rows.update(this.#until);
    // What is given up at the beginning must not move what is in sight.
    if (!this.follow && this.older === 0) this.top = Math.max(0, this.top - (this.#rows.dropped - dropped));
    this.version += 1;
    this.#more();
  }

  /** Goes on looking through rows that were too many for one frame, then through those on the server. */
  #more(): void {
    if (this.paused) return;
    if (this.#rows.behind > 0) requestAnimationFrame(() => {
      if (this.#rows.behind === 0) return;
      this.#update();
    });
    else if (this.#rows.away.length > 0 && !this.#judging) void this.#judge();
  }

  async #judge(): Promise<void> {
    this.#judging = true;
    const rows = this.#rows;
    const matcher = this.matcher;
    while (matcher !== undefined && rows === this.#rows && rows.away.length > 0) {
      const verdicts = new Map<number, boolean>();
      for (const row of rows.away.slice(-WINDOW)) {
        if (row < scope.log.base) verdicts.set(row, false);
        else {
          const event = await this.remote.load(scope.log.seqAt(row));
          verdicts.set(row, event !== undefined && this.#eventSays(event, matcher));
        }
      }
      if (rows !== this.#rows) break;
      rows.judge(verdicts);
      this.version += 1;
    }
    this.#judging = false;
    if (rows !== this.#rows) this.#more();
  }
}

/** What is looked at. */
export const view = new View();
