import type { Batch } from '../model/log/columns';
import type { Hello, Reply } from '../wire/generated';

/** What the page asks of the worker that holds the WebSocket. */
export type ToWorker =
  | { readonly type: 'open'; readonly generation: number; readonly url: string; readonly protocols: readonly string[] }
  | { readonly type: 'send'; readonly text: string }
  | { readonly type: 'close' };

/** What the worker tells the page; `generation` says of which connection. */
export type FromWorker =
  | { readonly type: 'hello'; readonly generation: number; readonly hello: Hello }
  | { readonly type: 'reply'; readonly generation: number; readonly reply: Reply }
  | { readonly type: 'batch'; readonly generation: number; readonly batch: Batch }
  | { readonly type: 'closed'; readonly generation: number; readonly code: number; readonly reason: string };

/** A way to the server that delivers decoded batches; the worker in the browser, a fake in tests. */
export interface Transport {
  onmessage: (message: FromWorker) => void;
  post(message: ToWorker): void;
}
