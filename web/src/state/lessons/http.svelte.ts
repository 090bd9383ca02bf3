import { typedBytes, asTyped } from '../../model/lessons/byHand';
import { type Exchange, Talk } from '../../model/lessons/talk';
import { ApiError } from '../../link/api';
import { ended } from '../../model/sockets/fold';
import type { HttpAnswer, HttpRequest } from '../../wire/generated';
import { errorText } from '../actions';
import { scope } from '../scope.svelte';
import { started } from './started';
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

/** What the server calls the sockets of its HTTP client. */
const CLIENT = 'HTTP client';

/** The client's socket that was opened after an event; of several it cannot be told whose they are. */
function clientSince(before: number): string | undefined {
  const open = [...scope.sockets.all.values()].filter((socket) => socket.name === CLIENT && socket.opened_seq > before && !ended(socket));
  return open.length === 1 ? open[0]!.id : undefined;
}

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
  #belongings = started();
  /** Ends the asking that is under way. */
  #cancel: (() => void) | undefined;

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

  /** Whether the client has asked and something of it can be looked at, and be said by hand. */
  get asked(): boolean {
    void this.version;
    return this.phase === 'asked' || (this.phase === 'failed' && this.client.length > 0);
  }

  /** Has the client ask; what it sent is then ready to be sent by hand, whatever came of it. */
  async ask(wanted: Wanted): Promise<void> {
    if (this.phase === 'asking' || this.sending) return;
    this.phase = 'asking';
    this.fault = '';
    const giveUp = new AbortController();
    let cancelled: string | undefined;
    try {
      await this.closeHand();
      this.#reset();
      const request = await this.#request(wanted);
      const before = scope.log.head;
      this.#cancel = () => {
        cancelled = clientSince(before);
        giveUp.abort();
      };
      const answer = await scope.api.http(request, giveUp.signal);
      await this.#read([...new Set(answer.exchanges.map((exchange) => exchange.socket))]);
      this.answer = answer;
      this.phase = 'asked';
    } catch (error) {
      const socket = giveUp.signal.aborted ? cancelled : error instanceof ApiError ? error.problem?.socket : undefined;
      this.fault = giveUp.signal.aborted ? words().http.cancelled : errorText(error);
      await this.#read(socket === undefined ? [] : [socket]).catch(() => undefined); // What went wrong is said; its bytes are a bonus.
      this.phase = 'failed';
    }
    this.#cancel = undefined;
    this.version += 1;
  }

  /** Waits no longer for the client's answers: its socket is closed. */
  cancel(): void {
    this.#cancel?.();
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
      const [failure] = await this.#belongings.endAll();
      if (failure !== undefined) throw failure;
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
      await scope.api.tell('DELETE', `sockets/${talk.socket}?epoch=${encodeURIComponent(epoch)}`);
    } catch (error) {
      // Somebody closed it in the instrument and took it from the list, or the server was restarted.
      if (!(error instanceof ApiError && (error.status === 404 || error.problem?.code === 'wrong_epoch'))) throw error;
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

  /** Reads the client's sockets to their end: it closes them when it is done, and with that everything they did is told. */
  async #read(ids: readonly string[]): Promise<void> {
    const followed = await Promise.all(ids.map((id) => this.#follow(id)));
    this.client = followed.map(({ talk }) => talk);
    await Promise.all(followed.map((one) => this.#until(one, () => one.talk.over, END_MS)));
    this.text = asTyped(this.clientExchanges()[0]?.requestBytes ?? new Uint8Array());
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
      this.#belongings.add(`practice/${id}`);
      this.practising = true;
    }
    return this.#practice.target.replace(/^tcp:/u, 'http:');
  }

  async #dial(): Promise<Followed> {
    const socket = await scope.api.openSocket({ open: this.#target, name: words().http.byHand.socket });
    this.#belongings.add(`sockets/${socket.id}`);
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
