import { BatchBuilder, splitFrame, transferables } from '../model/log/decode';
import type { Hello, Page, Reply } from '../wire/generated';
import type { ToLane } from './compare/protocol';
import { LaneRole } from './compare/worker/role';
import type { FromWorker, ToWorker } from './protocol';

/**
 * Batches go to the page at most this often; what comes in between travels together. Short enough not to be felt,
 * long enough that a flood in small frames does not become a flood of messages.
 */
const FLUSH_MS = 8;

/**
 * The WebSocket lives here, and every frame is decoded here before the next one is read. While this thread is busy the
 * browser stops reading the connection, the server's cursor waits, and nothing piles up.
 */
class Feed {
  readonly #socket: WebSocket;
  readonly #generation: number;
  readonly #builder = new BatchBuilder();
  #flushed = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(generation: number, url: string, protocols: readonly string[]) {
    this.#generation = generation;
    this.#socket = new WebSocket(url, [...protocols]);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onmessage = (message: MessageEvent<string | ArrayBuffer>) => {
      this.#frame(message.data);
    };
    this.#socket.onclose = (event) => {
      this.#flush();
      post({ type: 'closed', generation, code: event.code, reason: event.reason });
    };
  }

  send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  close(): void {
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  #frame(data: string | ArrayBuffer): void {
    try {
      if (typeof data !== 'string') {
        const { page, raw } = splitFrame(data);
        this.#page(page, raw);
        return;
      }
      const frame = JSON.parse(data) as { hello: Hello } | Reply | Page;
      if ('hello' in frame) post({ type: 'hello', generation: this.#generation, hello: frame.hello });
      else if ('re' in frame) {
        // The facts a command caused may be in the same breath: they go first, so that its answer finds them.
        this.#flush();
        post({ type: 'reply', generation: this.#generation, reply: frame });
      } else this.#page(frame);
    } catch (error) {
      // A frame that cannot be read means the two ends disagree; a fresh connection continues after the last good seq.
      this.close();
      post({ type: 'closed', generation: this.#generation, code: 4000, reason: String(error) });
    }
  }

  #page(page: Page, raw?: Uint8Array): void {
    this.#builder.add(page, raw);
    if (this.#timer !== undefined) return;
    const wait = this.#flushed + FLUSH_MS - performance.now();
    if (wait <= 0) this.#flush();
    else this.#timer = setTimeout(() => this.#flush(), wait);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushed = performance.now();
    if (this.#builder.empty) return;
    const batch = this.#builder.finish();
    post({ type: 'batch', generation: this.#generation, batch }, transferables(batch));
  }
}

function post(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

let feed: Feed | undefined;
let lane: LaneRole | undefined;

// One script, since the page's policy names one: the first message says whether this worker is the feed or a lane.
self.onmessage = ({ data }: MessageEvent<ToWorker | ToLane>) => {
  switch (data.type) {
    case 'follow':
      lane = new LaneRole(data.following, (message, transfer = []) => {
        self.postMessage(message, { transfer });
      });
      break;
    case 'go':
    case 'stop':
      lane?.hear(data);
      break;
    case 'open':
      feed?.close();
      feed = new Feed(data.generation, data.url, data.protocols);
      break;
    case 'send':
      feed?.send(data.text);
      break;
    case 'close':
      feed?.close();
      feed = undefined;
      break;
  }
};
