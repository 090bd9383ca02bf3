import type { Socket } from '../../wire/generated';
import { parseEscapes } from '../bytes/escapes';
import { parseHex } from '../bytes/hex';
import type { Parsed } from '../bytes/result';

/** How what is typed becomes bytes. */
export type ComposeMode = 'text' | 'escapes' | 'hex';

/** What is appended. */
export type ComposeEnding = 'none' | 'lf' | 'crlf' | 'cr';

const ENDINGS: Record<ComposeEnding, readonly number[]> = { none: [], lf: [10], crlf: [13, 10], cr: [13] };

const encoder = new TextEncoder();

/** The exact bytes that will go. A line ending is appended in every mode, and alone when nothing is typed. */
export function composed(text: string, mode: ComposeMode, ending: ComposeEnding): ReturnType<typeof parseEscapes> | ReturnType<typeof parseHex> {
  const parsed: Parsed<'lone_surrogate'> | ReturnType<typeof parseEscapes> | ReturnType<typeof parseHex> =
    mode === 'hex' ? parseHex(text) : mode === 'escapes' ? parseEscapes(text) : plain(text);
  if (!parsed.ok) return parsed;
  const tail = ENDINGS[ending];
  if (tail.length === 0) return parsed;
  const bytes = new Uint8Array(parsed.bytes.length + tail.length);
  bytes.set(parsed.bytes);
  bytes.set(tail, parsed.bytes.length);
  return { ok: true, bytes };
}

function plain(text: string): Parsed<'lone_surrogate'> {
  for (let at = 0; at < text.length; at += 1) {
    const point = text.codePointAt(at)!;
    if (point > 0xffff) at += 1;
    else if (point >= 0xd800 && point <= 0xdfff) return { ok: false, at, code: 'lone_surrogate' };
  }
  return { ok: true, bytes: encoder.encode(text) };
}

/** Why a socket cannot send, as a key of the sentences for it; undefined when it can. */
export type CannotSend = 'none' | 'opening' | 'listener' | 'bridge' | 'half' | 'closing' | 'closed' | 'failed';

/** Whether a socket takes bytes, and if not, why. A listener sends through `clients` that can. */
export function cannotSend(socket: Socket | undefined, clients: number): CannotSend | undefined {
  if (socket === undefined) return 'none';
  switch (socket.state) {
    case 'opening':
    case 'closing':
    case 'closed':
    case 'failed':
      // What a closed listener accepted lives on.
      return socket.role === 'listener' && clients > 0 ? undefined : socket.state;
    case 'half_closed_local':
      return socket.bridge === undefined ? 'half' : 'bridge';
    case 'listening':
      return clients === 0 ? 'listener' : undefined;
    case 'open':
    case 'half_closed_remote':
      return socket.bridge === undefined ? undefined : 'bridge';
  }
}

/** Sent texts remembered; the oldest go. */
export const SENT_HISTORY = 100;

/** What was sent before, walked with the arrow keys; what was being typed waits at the end. */
export class SentHistory {
  #sent: string[] = [];
  #at = 0;
  #draft = '';

  /** Remembers what was sent. */
  push(text: string): void {
    if (text !== '' && this.#sent.at(-1) !== text) this.#sent.push(text);
    if (this.#sent.length > SENT_HISTORY) this.#sent.shift();
    this.#at = this.#sent.length;
    this.#draft = '';
  }

  /** The text before (-1) or after (1) the one shown; undefined at either end. */
  walk(step: 1 | -1, shown: string): string | undefined {
    const to = this.#at + step;
    if (to < 0 || to > this.#sent.length) return undefined;
    if (this.#at === this.#sent.length) this.#draft = shown;
    this.#at = to;
    return to === this.#sent.length ? this.#draft : this.#sent[to];
  }
}
