import type { LogEvent } from '../log/log';
import type { LaneId } from './heartbeat';

/** Why the page said something: to see that it works, to keep it alive, to see whether it still does. */
export type Why = 'hello' | 'beat' | 'question';

/** Something said on a connection, and its echo. Times are the log's, in µs. */
export interface Message {
  readonly why: Why;
  /** Where in the stream its bytes end. */
  readonly end: number;
  sentUs?: number;
  answeredUs?: number;
}

/** How a connection ended, as its program learnt it. */
export interface End {
  readonly atUs: number;
  readonly how: 'failed' | 'reset' | 'eof' | 'closed';
  readonly errno?: string;
}

/** One connection of the run, as far as the log tells. */
export interface Lane {
  readonly id: LaneId;
  readonly socket: string;
  readonly messages: readonly Message[];
  readonly openedUs?: number;
  /** When the middlebox forgot it. */
  readonly forgottenUs?: number;
  readonly end?: End;
}

interface Growing {
  readonly id: LaneId;
  readonly socket: string;
  readonly messages: Message[];
  said: number;
  local?: string;
  openedUs?: number;
  end?: End;
}

/**
 * The connections of a run, folded from the log. The middlebox says on its own socket that it forgot a connection; that
 * socket's peer has the address our connection has, so the two are brought together by it.
 */
export class Run {
  readonly #lanes: Growing[];
  readonly #middlebox: string;
  /** The middlebox's sockets, and the address each was accepted from. */
  readonly #accepted = new Map<string, string>();
  /** When the middlebox forgot an address. */
  readonly #forgotten = new Map<string, number>();

  constructor(middlebox: string, lanes: readonly (readonly [LaneId, string])[]) {
    this.#middlebox = middlebox;
    this.#lanes = lanes.map(([id, socket]) => ({ id, socket, messages: [], said: 0 }));
  }

  /** The connections as they are now, in the order they were given; what is answered does not change any more. */
  get lanes(): readonly Lane[] {
    return this.#lanes.map(({ id, socket, messages, openedUs, end: over, local }) => {
      const forgottenUs = local === undefined ? undefined : this.#forgotten.get(local);
      return {
        id,
        socket,
        messages: messages.map((message) => ({ ...message })),
        ...(openedUs === undefined ? {} : { openedUs }),
        ...(forgottenUs === undefined ? {} : { forgottenUs }),
        ...(over === undefined ? {} : { end: over }),
      };
    });
  }

  /** When the first of them was open; undefined before. */
  get beganUs(): number | undefined {
    const opened = this.#lanes.map((lane) => lane.openedUs).filter((at) => at !== undefined);
    return opened.length === 0 ? undefined : Math.min(...opened);
  }

  /** The page is about to send so many bytes: what the log says of them is told by their place in the stream. */
  says(id: LaneId, why: Why, bytes: number): void {
    const lane = this.#lanes.find((one) => one.id === id);
    if (lane === undefined) return;
    lane.said += bytes;
    lane.messages.push({ why, end: lane.said });
  }

  /** Whether events of this socket belong to the run. */
  knows(socket: string): boolean {
    return socket === this.#middlebox || this.#accepted.has(socket) || this.#lanes.some((lane) => lane.socket === socket);
  }

  /** Takes an event in, in the order of the log. */
  apply(event: LogEvent): void {
    if (event.socket === undefined) return;
    if (event.socket === this.#middlebox) {
      if (event.type === 'accepted') this.#accepted.set(event.child, event.remote);
      return;
    }
    const address = this.#accepted.get(event.socket);
    if (address !== undefined) {
      if (event.type === 'note' && event.code === 'forgotten') this.#forgotten.set(address, event.t_us);
      return;
    }
    const lane = this.#lanes.find((one) => one.socket === event.socket);
    if (lane !== undefined) change(lane, event);
  }

  /** Whether everything said for this reason was echoed, on every connection that is not over. */
  answered(why: Why): boolean {
    return this.#lanes.every((lane) => {
      if (lane.end !== undefined) return true;
      const messages = lane.messages.filter((message) => message.why === why);
      return messages.length > 0 && messages.every((message) => message.answeredUs !== undefined);
    });
  }
}

function change(lane: Growing, event: LogEvent): void {
  switch (event.type) {
    case 'connected':
      lane.local = event.local;
      lane.openedUs = event.t_us;
      break;
    case 'sent':
      for (const message of lane.messages) if (message.sentUs === undefined && message.end <= reach(event)) message.sentUs = event.t_us;
      break;
    case 'received':
      for (const message of lane.messages) if (message.answeredUs === undefined && message.end <= reach(event)) message.answeredUs = event.t_us;
      break;
    case 'failed':
      if (event.fatal) end(lane, { atUs: event.t_us, how: 'failed', ...(event.errno === undefined ? {} : { errno: event.errno }) });
      break;
    case 'reset':
      end(lane, { atUs: event.t_us, how: 'reset', ...(event.errno === undefined ? {} : { errno: event.errno }) });
      break;
    case 'eof':
    case 'closed':
      end(lane, { atUs: event.t_us, how: event.type });
      break;
    default:
      break;
  }
}

/** What ended it first is why; what follows is only tidying up. */
function end(lane: Growing, how: End): void {
  lane.end ??= how;
}

function reach(event: { readonly offset?: number; readonly len: number }): number {
  return (event.offset ?? 0) + event.len;
}
