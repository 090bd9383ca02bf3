import { Arrivals } from '../../model/compare/samples';
import type { Reads } from '../../model/compare/prices';
import type { Settings } from '../../model/compare/settings';
import type { Event, Page, PracticeStarted, Seq, Socket, SocketId, SocketList } from '../../wire/generated';
import type { Api } from '../api';
import type { Belongings } from '../belongings';

/** How long the ticker may take to accept, in looks of a second each. */
const ACCEPT_LOOKS = 10;

/** Events a page of the log, when it is read for what was sent. */
const PAGE = 10_000;

/** How the source ended. */
export type SourceEnd = 'eof' | 'died';

/** Where the events come from: when each was sent, and when the server had read it. */
export interface Source {
  readonly socket: SocketId;
  /** Bytes of a message; 0 where every event is one. */
  readonly message: number;
  /** Lanes begin after this event, at this offset. */
  readonly after: Seq;
  readonly start: number;
  /** When each message was sent, in µs of the server's clock. */
  readonly sent: readonly number[];
  /** The raw socket as the server reads it. */
  readonly read: Arrivals;
  /** How it ended, once it has. */
  readonly ended: { readonly how: SourceEnd; readonly atUs: number } | undefined;
  /** Lets it send. */
  go(): Promise<void>;
  /** What was read of it, to reckon with; undefined where nothing was, or where nobody knows what comes next. */
  reads(): Promise<Reads | undefined>;
  /** Reads on in the log. */
  look(): Promise<void>;
  /** What comes from now on is no longer part of the comparison. */
  close(): void;
}

/** Reads a socket's events of some types, page after page, from where it was. */
class Reader {
  #after: Seq;

  constructor(
    readonly api: Api,
    readonly socket: SocketId,
    readonly types: string,
    after: Seq,
  ) {
    this.#after = after;
  }

  /** Up to the head as it is now: a socket that never rests would be read for ever. */
  async each(take: (event: Event) => void): Promise<void> {
    let until = Infinity;
    for (;;) {
      const page: Page = await this.api.call('GET', `events?after=${String(this.#after)}&socket=${this.socket}&type=${this.types}&limit=${String(PAGE)}&payload=none`);
      page.events.forEach(take);
      this.#after = page.next;
      until = Math.min(until, page.head);
      if (page.next >= until) return;
    }
  }
}

/** A socket's events, and whether it has ended. */
abstract class Read implements Source {
  abstract readonly message: number;
  abstract readonly read: Arrivals;
  abstract readonly start: number;
  abstract readonly sent: readonly number[];
  ended: Source['ended'];
  #closed = false;
  #count = 0;
  #bytes = 0;
  #last: Seq;
  /** The look that is under way: two at a time would read the same events twice. */
  #looking: Promise<void> = Promise.resolve();
  readonly #own: Reader;

  constructor(
    readonly api: Api,
    readonly socket: SocketId,
    readonly after: Seq,
  ) {
    this.#own = new Reader(api, socket, 'received,eof,reset,closed,failed', after);
    this.#last = after;
  }

  abstract go(): Promise<void>;

  async reads(): Promise<Reads | undefined> {
    // One from the middle: its numbers have about as many digits as most have.
    const middle = Math.floor((this.after + this.#last) / 2);
    const page: Page = await this.api.call('GET', `events?after=${String(middle)}&socket=${this.socket}&type=received&limit=1`);
    const sample = page.events[0];
    return sample === undefined ? undefined : { count: this.#count, bytes: this.#bytes, sample, epoch: page.epoch };
  }

  close(): void {
    this.#closed = true;
  }

  look(): Promise<void> {
    const next = this.#looking.then(() => (this.#closed ? undefined : this.readOn()));
    // Whoever asked for it hears of a failure; it must not keep the next look from being tried.
    this.#looking = next.catch(() => undefined);
    return next;
  }

  protected async readOn(): Promise<void> {
    await this.#own.each((event) => {
      if (event.type === 'received') {
        this.#count += 1;
        this.#bytes += event.len;
        this.#last = event.seq;
        this.received(event.offset ?? -1, event.len, event.t_us);
      } else if (event.type === 'eof') this.ended ??= { how: 'eof', atUs: event.t_us };
      else if (event.type !== 'failed' || event.fatal) this.ended ??= { how: 'died', atUs: event.t_us };
    });
  }

  protected abstract received(offset: number, len: number, atUs: number): void;
}

/** A ticker of this comparison's own: its end of the connection says when each message was sent. */
class TickerSource extends Read {
  readonly start = 0;
  readonly sent: number[] = [];
  readonly read: Arrivals;
  readonly #sends: Reader;
  #bytes = 0;

  constructor(
    api: Api,
    socket: SocketId,
    ticker: SocketId,
    after: Seq,
    readonly message: number,
  ) {
    super(api, socket, after);
    this.read = new Arrivals(message);
    this.#sends = new Reader(api, ticker, 'sent', after);
  }

  go(): Promise<void> {
    return this.api.call('POST', `sockets/${this.socket}/send`, { text: '!' });
  }

  protected override async readOn(): Promise<void> {
    await super.readOn();
    await this.#sends.each((event) => {
      if (event.type !== 'sent') return;
      // A message is sent when the call that carries its first byte is entered.
      if (this.#bytes % this.message === 0) this.sent.push(event.t_us - (event.took_us ?? 0));
      this.#bytes += event.len;
    });
  }

  protected received(offset: number, len: number, atUs: number): void {
    this.read.bytes(offset, len, atUs);
  }
}

/** A socket that was there before: when the peer sent is not known, so delays count from the kernel's read. */
class ForeignSource extends Read {
  readonly message = 0;
  readonly read: Arrivals;
  readonly sent: number[] = [];

  constructor(
    api: Api,
    socket: SocketId,
    after: Seq,
    readonly start: number,
  ) {
    super(api, socket, after);
    this.read = new Arrivals(0, start);
  }

  go(): Promise<void> {
    return Promise.resolve();
  }

  /** It sends what and when it likes, also before every lane is connected: there is no moment at which connecting alone can be billed. */
  override reads(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  protected received(offset: number, len: number, atUs: number): void {
    this.read.bytes(offset, len, atUs);
    this.sent.push(atUs);
  }
}

/** The source could not be had. */
export class NoSource extends Error {
  constructor(readonly why: 'not_accepted' | 'gone') {
    super(why);
    this.name = 'NoSource';
  }
}

/** Starts a ticker that waits for its first byte, and opens a socket to it; for a foreign source, looks where it is. */
export async function openSource(api: Api, settings: Settings, belongings: Belongings, name: string): Promise<Source> {
  if (settings.source !== 'ticker') {
    const { head, sockets }: SocketList = await api.sockets();
    const socket = sockets.find(({ id }) => id === settings.source);
    if (socket === undefined || socket.closed_seq !== null) throw new NoSource('gone');
    return new ForeignSource(api, socket.id, head, socket.counters.received_bytes);
  }
  const { rate, payload, regular, seconds } = settings;
  const peer: PracticeStarted = await api.call('POST', 'practice', { peer: 'ticker', ticker: { rate, payload, arrivals: regular ? 'regular' : 'poisson', seconds, hold: true } });
  belongings.add(`sockets/${peer.id}?children=true`);
  const socket: Socket = await api.call('POST', 'sockets', { open: peer.target, name });
  belongings.add(`sockets/${socket.id}`);
  for (let look = 0; look < ACCEPT_LOOKS; look += 1) {
    const page: Page = await api.call('GET', `events?socket=${peer.id}&type=accepted&wait=1`);
    const event = page.events[0];
    if (event?.type === 'accepted') {
      belongings.add(`sockets/${event.child}`);
      return new TickerSource(api, socket.id, event.child, event.seq, payload);
    }
  }
  throw new NoSource('not_accepted');
}
