import type { Api } from '../link/api';
import { PREVIEW_BYTES } from '../link/connection';
import { decodeBase64 } from '../model/bytes/base64';
import type { EventLog, LogEvent } from '../model/log/log';
import type { Seq } from '../wire/generated';

/** Events fetched at one go. */
export const WINDOW = 200;

/** Fetched events kept; the ones fetched first go. */
export const FETCHED_EVENTS = 4000;

/** Payload bytes of fetched events kept; the ones fetched first go. */
export const FETCHED_BYTES = 8 * 1024 * 1024;

/** Events the page gave up and the server still has, fetched a window at a time when somebody looks. */
export class Remote {
  /** Goes up when something arrived. */
  version = $state(0);
  readonly #api: Api;
  readonly #log: EventLog;
  #events = new Map<Seq, LogEvent>();
  #bytes = 0;
  #underWay = new Map<Seq, Promise<void>>();
  #missing = new Set<Seq>();
  #epoch = '';

  constructor(api: Api, log: EventLog) {
    this.#api = api;
    this.#log = log;
  }

  /** The event, if it was fetched; else it is asked for, and `version` goes up when it is there. */
  peek(seq: Seq): LogEvent | undefined {
    this.#sameLog();
    const event = this.#events.get(seq);
    if (event === undefined && !this.#missing.has(seq)) void this.#fetch(seq);
    return event;
  }

  /** The event, waited for; undefined when the server does not have it either. */
  async load(seq: Seq): Promise<LogEvent | undefined> {
    this.#sameLog();
    if (!this.#events.has(seq) && !this.#missing.has(seq)) await this.#fetch(seq);
    return this.#events.get(seq);
  }

  #sameLog(): void {
    if (this.#epoch === this.#log.epoch) return;
    this.#epoch = this.#log.epoch;
    this.#events.clear();
    this.#missing.clear();
    this.#bytes = 0;
  }

  #fetch(seq: Seq): Promise<void> {
    // One window covers its neighbours: rows in sight ask one by one for what arrives together.
    for (let start = seq; start > seq - WINDOW; start -= 1) {
      const promise = this.#underWay.get(start);
      if (promise !== undefined) return promise;
    }
    const promise = this.#window(seq).finally(() => this.#underWay.delete(seq));
    this.#underWay.set(seq, promise);
    return promise;
  }

  async #window(seq: Seq): Promise<void> {
    const epoch = this.#epoch;
    try {
      const page = await this.#api.events({ after: seq - 1, limit: WINDOW, preview: PREVIEW_BYTES }, epoch);
      if (epoch !== this.#epoch) return;
      for (const event of page.events) {
        const bytes = 'payload' in event && event.payload !== undefined ? decodeBase64(event.payload) : undefined;
        this.#keep(bytes?.ok ? { ...event, bytes: bytes.bytes } : event);
      }
    } catch {
      // The link says what is wrong with the server; the row stays without its bytes and is asked for no more.
    }
    if (!this.#events.has(seq)) this.#missing.add(seq);
    this.version += 1;
  }

  #keep(event: LogEvent): void {
    this.#bytes += (event.bytes?.length ?? 0) - (this.#events.get(event.seq)?.bytes?.length ?? 0);
    this.#events.delete(event.seq);
    this.#events.set(event.seq, event);
    for (const [seq, oldest] of this.#events) {
      if (this.#events.size <= FETCHED_EVENTS && this.#bytes <= FETCHED_BYTES) return;
      if (seq === event.seq) return;
      this.#bytes -= oldest.bytes?.length ?? 0;
      this.#events.delete(seq);
    }
  }
}
