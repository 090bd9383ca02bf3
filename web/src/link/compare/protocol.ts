import type { Look } from '../../model/compare/clock';
import type { Asked } from '../../model/compare/exchanges';
import type { Lane, Problem, Seq, SocketId } from '../../wire/generated';

/** What a lane follows, and how. */
export interface Following {
  readonly lane: Lane;
  /** Sent as bearer; undefined for a server that needs none. */
  readonly token: string | undefined;
  readonly socket: SocketId;
  readonly after: Seq;
  /** The meter that counts its requests. */
  readonly meter: string;
  /** Milliseconds between two short polls. */
  readonly pollMs: number;
  /** A WebSocket asks for binary batches. */
  readonly binary: boolean;
}

/** What the page asks of a worker whose role is a lane; the first message makes it one. */
export type ToLane = { readonly type: 'follow'; readonly following: Following } | { readonly type: 'go' } | { readonly type: 'stop' };

/** Why a lane broke: an answer that was none of success, the network, a stream or a WebSocket that ended, or the page's own worker. */
export interface Broken {
  readonly is: 'answer' | 'network' | 'stream' | 'websocket' | 'worker';
  readonly problem?: Problem;
  /** The answer's status, the WebSocket's close code, or what the browser said. */
  readonly text: string;
}

/** Numbers a told event is made of: offset (−1 for a datagram), length, when the worker had it (ms), when the server read it (µs). */
export const TOLD = 4;

/** Numbers a request is made of: those of an `Asked`, in ms. */
export const ASKED = 3 satisfies Asked['length'];

/** Numbers a held-back request is made of: when it was made, and when the browser let it go (ms). */
export const HELD = 2;

/** What a lane tells the page. Times are milliseconds of the worker's own clock, which `clock` places on the server's. */
export type FromLane =
  | { readonly type: 'clock'; readonly looks: readonly Look[] }
  | { readonly type: 'ready' }
  | { readonly type: 'told'; readonly told: Float64Array; readonly asked: Float64Array; readonly held: Float64Array }
  | { readonly type: 'lost' }
  | { readonly type: 'end'; readonly total: number }
  | { readonly type: 'broke'; readonly why: Broken }
  | { readonly type: 'stopped' };
