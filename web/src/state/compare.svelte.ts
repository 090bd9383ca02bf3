import { Growth } from '../link/compare/growth';
import { Run } from '../link/compare/run';
import { OtherTabs } from '../link/compare/tabs';
import { DEFAULTS, type Draft, draftFrom, draftOf, linkOf, readDraft } from '../model/compare/settings';
import { mode } from './mode.svelte';
import { scope } from './scope.svelte';

/** The comparison: what is set, what runs, what was found. The run holds its figures; the rune says that they changed. */
class Compare {
  draft = $state.raw<Draft>(draftOf(DEFAULTS));
  /** A link filled the settings in, and nobody has touched them since. */
  linked = $state(false);
  /** Somebody tried to start: from now on what is wrong is said. */
  tried = $state(false);
  /** Goes up when the run has changed. */
  version = $state(0);
  /** Other tabs of this browser that compare at the same time; the most there were during the run. */
  others = $state(0);
  readonly read = $derived(readDraft(this.draft));
  readonly #tabs = new OtherTabs();
  #run = $state.raw<Run>();
  #growth = $state.raw<Growth>();

  constructor() {
    this.#tabs.onchange = () => {
      this.others = this.running ? Math.max(this.others, this.#tabs.count) : this.#tabs.count;
    };
    document.addEventListener('visibilitychange', () => {
      if (this.running) this.#run?.visible(!document.hidden);
    });
    // Also when the page is put away to be shown again later: nobody watches it meanwhile.
    window.addEventListener('pagehide', () => {
      if (this.running) this.#run?.leave();
      if (this.growing) this.#growth?.leave();
      this.#tabs.tell(false);
    });
  }

  /** The run, as it is now; undefined before the first. */
  get run(): Run | undefined {
    void this.version;
    return this.#run;
  }

  get running(): boolean {
    void this.version;
    return this.#run !== undefined && this.#run.phase !== 'done';
  }

  /** How cost grows, as far as it was measured; undefined before. */
  get growth(): Growth | undefined {
    void this.version;
    return this.#growth;
  }

  get growing(): boolean {
    void this.version;
    return this.#growth !== undefined && !this.#growth.done;
  }

  /** A link to these settings; undefined while they are wrong. */
  get link(): string | undefined {
    return this.read.ok ? `${location.origin}${location.pathname}${linkOf(this.read.settings)}` : undefined;
  }

  /** Takes over what a link brought, once. */
  takeLink(): void {
    if (mode.settings === undefined || this.running) return;
    this.draft = draftFrom(mode.settings);
    mode.settings = undefined;
    this.linked = true;
    this.tried = true;
  }

  /** Changes a setting. */
  set<K extends keyof Draft>(field: K, value: Draft[K]): void {
    this.draft = { ...this.draft, [field]: value };
    this.linked = false;
  }

  /** Starts a run with what is set, unless something of it is wrong. */
  async start(sourceName: string): Promise<void> {
    this.tried = true;
    if (!this.read.ok || this.running || this.growing) return;
    this.linked = false;
    const run = new Run(scope.api, this.read.settings, () => {
      this.version += 1;
    });
    this.#run = run;
    this.others = this.#tabs.count;
    this.version += 1;
    mode.comparing = true;
    this.#tabs.tell(true);
    await run.run(sourceName);
    this.#tabs.tell(false);
    mode.comparing = false;
  }

  /** Measures crowds of these sizes with what is set. */
  async grow(sizes: readonly number[], sourceName: string): Promise<void> {
    this.tried = true;
    if (!this.read.ok || this.running || this.growing) return;
    const growth = new Growth(scope.api, this.read.settings, sizes, () => {
      this.version += 1;
    });
    this.#growth = growth;
    mode.comparing = true;
    this.version += 1;
    await growth.run(sourceName);
    mode.comparing = false;
  }

  /** Ends the growth before its time. */
  stopGrowth(): void {
    this.#growth?.stop();
  }

  /** Ends the run before its time. */
  stop(): void {
    this.#run?.stop();
  }
}

/** The comparison. */
export const compare = new Compare();
