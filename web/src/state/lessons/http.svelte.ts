import { typedBytes, asTyped } from '../../model/lessons/byHand';
import { type Exchange, Talk } from '../../model/lessons/talk';
import { ApiError } from '../../link/api';
import { ended } from '../../model/sockets/fold';
import type { HttpAnswer, HttpRequest } from '../../wire/generated';
import { errorText } from '../actions';
import { scope } from '../scope.svelte';
import { Started } from './started';
import { words } from './words';

/** How long an answer to a request by hand is waited for, in ms: a server may still wait for the end of the request. */
export const ANSWER_MS = 10_000;

/** How long the end of a connection is waited for that was announced, in ms. */
const END_MS = 3000;

/** Events asked for at a time, and bytes of each: the most one read can bring. */
const PAGE = { limit: 1000, preview: 262_144 } as const;

/** What is asked: of a URL, or for a page of the practice server, whose address is the lesson's to find out. */
export type Wanted = Omit<HttpRequest, 'url'> & ({ readonly url: string } | { readonly page: string });

/** Why nothing more came for a request by hand. */
export type HandFault = 'silent' | { readonly text: string };

/** A socket that is followed by its events. */
interface Followed {
  readonly talk: Talk;
  readonly epoch: string;
  after: number;
}

/**
 * The lesson about HTTP: has the server's HTTP client ask, reads from the log what went over its sockets, and lets the
 * same be said by hand over a plain one.
 */
class HttpLesson {
  phase = $state<'none' | 'asking' | 'asked' | 'failed'>('none');
  fault = $state('');
  answer = $state.raw<HttpAnswer>();
  /** Goes up when a conversation has changed. */
  version = $state(0);
  /** What is typed on the side of the hand. */
  text = $state('');
  sending = $state(false);
  handFault = $state.raw<HandFault>();
  /** The practice server runs. */
  practising = $state(false);
  /** The client's sockets, and those opened by hand since it asked; oldest first. */
  client: readonly Talk[] = [];
  hand: readonly Talk[] = [];
  #target = '';
  #open: Followed | undefined;
  #practice: { readonly id: string; readonly target: string; readonly epoch: string } | undefined;
  #started = new Started();

  /** Whether the socket by hand takes another request. */
  get handOpen(): string | undefined {
    void this.version;
    // A restart of the server is seen in the log.
    void scope.version;
    const open = this.#open;
    return open?.talk.open === true && open.epoch === scope.log.epoch ? open.talk.socket : undefined;
  }

  /** The client's exchanges, in the order they were asked. */
  clientExchanges(): Exchange[] {
    void this.version;
    return this.client.flatMap((talk) => talk.exchanges());
  }

  /** The exchanges by hand, in order. */
  handExchanges(): Exchange[] {
    void this.version;
    return this.hand.flatMap((talk) => talk.exchanges());
  }

  /** Has the client ask; what it sent is then ready to be sent by hand. */
  async ask(wanted: Wanted): Promise<void> {
    if (this.phase === 'asking' || this.sending) return;
    this.phase = 'asking';
    this.fault = '';
    try {
      await this.closeHand();
      this.#reset();
      const answer = await scope.api.http(await this.#request(wanted));
      const ids = [...new Set(answer.exchanges.map((exchange) => exchange.socket))];
      const followed = await Promise.all(ids.map((id) => this.#follow(id)));
      this.client = followed.map(({ talk }) => talk);
      // The client closes its sockets when it is done: with that, everything they did is told.
      await Promise.all(followed.map((one) => this.#until(one, () => one.talk.ended, END_MS)));
      this.answer = answer;
      this.text = asTyped(this.clientExchanges()[0]?.requestBytes ?? new Uint8Array());
      this.phase = 'asked';
    } catch (error) {
      this.phase = 'failed';
      this.fault = errorText(error);
    }
    this.version += 1;
  }

  /** Sends what is typed, on the socket that is open or on a new one, and reads what comes back. */
  async send(): Promise<void> {
    const typed = typedBytes(this.text);
    if (this.sending || !typed.ok || typed.bytes.length === 0) return;
    this.sending = true;
    this.handFault = undefined;
    try {
      const followed = this.handOpen === undefined ? await this.#dial() : this.#open!;
      const { talk } = followed;
      const before = talk.exchanges().length;
      await scope.api.send(talk.socket, typed.bytes);
      const answered = (): boolean => talk.ended || talk.more || talk.exchanges().some(({ response }, i) => i >= before && (response.state === 'complete' || response.state === 'bad'));
      if (!(await this.#until(followed, answered, ANSWER_MS))) this.handFault = 'silent';
      else if (talk.exchanges().at(-1)?.response.keeps === false) await this.#until(followed, () => talk.ended, END_MS);
      // The server has said its last word; a client closes its own direction then, too.
      if (talk.ended) await this.#hangUp(followed);
    } catch (error) {
      this.handFault = { text: errorText(error) };
    } finally {
      this.sending = false;
      this.version += 1;
    }
  }

  /** Closes the socket by hand. */
  async closeHand(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    try {
      await this.#hangUp(open);
    } catch (error) {
      this.handFault = { text: errorText(error) };
    }
  }

  /** Ends everything the lesson started. */
  async end(): Promise<void> {
    try {
      await this.closeHand();
      await this.#started.end();
      this.#practice = undefined;
      this.practising = false;
    } catch (error) {
      this.fault = errorText(error);
    }
  }

  async #hangUp(followed: Followed): Promise<void> {
    const { talk, epoch } = followed;
    if (talk.over || epoch !== scope.log.epoch) return;
    try {
      await scope.api.closeSocket(talk.socket);
    } catch (error) {
      // Somebody closed it in the instrument, and took it from the list.
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
    await this.#until(followed, () => talk.over, END_MS);
  }

  #reset(): void {
    this.answer = undefined;
    this.client = [];
    this.hand = [];
    this.handFault = undefined;
    this.#open = undefined;
    this.#target = '';
    this.version += 1;
  }

  async #request(wanted: Wanted): Promise<HttpRequest> {
    if ('url' in wanted) return wanted;
    const { page, ...rest } = wanted;
    return { ...rest, url: `${await this.#practise()}${page}` };
  }

  /** The practice server's URL, without a path. */
  async #practise(): Promise<string> {
    const known = this.#practice === undefined ? undefined : scope.sockets.all.get(this.#practice.id);
    // Somebody may have stopped it in the instrument, or the server was restarted.
    if (this.#practice === undefined || known === undefined || ended(known) || this.#practice.epoch !== scope.log.epoch) {
      const { id, target } = await scope.api.startPeer('http');
      this.#practice = { id, target, epoch: scope.log.epoch };
      this.#started.peer(id);
      this.practising = true;
    }
    return this.#practice.target.replace(/^tcp:/u, 'http:');
  }

  async #dial(): Promise<Followed> {
    const socket = await scope.api.openSocket({ open: this.#target, name: words().http.byHand.socket });
    this.#started.socket(socket.id);
    const followed = await this.#follow(socket.id);
    this.#open = followed;
    this.hand = [...this.hand, followed.talk];
    await this.#until(followed, () => followed.talk.open, END_MS);
    return followed;
  }

  /** Begins at a socket's first event. The first one's target is where requests by hand go, too. */
  async #follow(id: string): Promise<Followed> {
    const socket = await scope.api.socket(id);
    this.#target ||= socket.target;
    return { talk: new Talk(id), epoch: scope.log.epoch, after: socket.opened_seq - 1 };
  }

  /** Reads a socket's events until they say so, for as long as it may take; answers whether they did. */
  async #until(followed: Followed, met: () => boolean, patience: number): Promise<boolean> {
    const deadline = performance.now() + patience;
    for (;;) {
      if (met()) return true;
      const left = deadline - performance.now();
      if (left <= 0) return false;
      const page = await scope.api.events({ after: followed.after, socket: followed.talk.socket, wait: Math.ceil(left / 1000), ...PAGE }, followed.epoch);
      followed.talk.add(page.events);
      followed.after = Math.max(followed.after, page.next);
      this.version += 1;
    }
  }
}

/** The lesson about HTTP. */
export const http = new HttpLesson();
