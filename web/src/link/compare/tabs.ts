const CHANNEL = 'sockscope-compare';

interface Word {
  readonly tab: string;
  readonly running: boolean;
  /** Wants to know how the others are. */
  readonly ask: boolean;
}

/** Other tabs of this browser that compare at the same time: all of them share its six connections to this host. */
export class OtherTabs {
  readonly #channel = new BroadcastChannel(CHANNEL);
  readonly #me = crypto.randomUUID();
  readonly #running = new Set<string>();
  #mine = false;
  /** Called when another tab has begun or ended. */
  onchange: () => void = () => undefined;

  constructor() {
    this.#channel.onmessage = ({ data }: MessageEvent<Word>) => {
      if (data.running) this.#running.add(data.tab);
      else this.#running.delete(data.tab);
      if (data.ask && this.#mine) this.#say(false);
      this.onchange();
    };
  }

  /** How many others run a comparison, as far as they have said. */
  get count(): number {
    return this.#running.size;
  }

  /** This tab begins or ends; the others answer with how they are. */
  tell(running: boolean): void {
    this.#mine = running;
    this.#say(running);
  }

  #say(ask: boolean): void {
    this.#channel.postMessage({ tab: this.#me, running: this.#mine, ask } satisfies Word);
  }
}
