import { splitFrame } from '../../../model/log/decode';
import { LONG_POLL_S } from '../../../model/compare/predict';
import { SseReader } from '../../../model/compare/sse';
import type { Event, Page, Problem, ServerFrame, Ticket } from '../../../wire/generated';
import type { Broken, Following } from '../protocol';
import type { Teller } from './teller';

const WORKSPACE = '/api/v1/workspaces/default';

/** A lane broke, and why. */
export class LaneBroke extends Error {
  constructor(readonly why: Broken) {
    super(why.text);
    this.name = 'LaneBroke';
  }
}

/** Said once: follow no further. What is under way may be cut off, except a short poll, which is answered in no time. */
export interface Halt {
  readonly signal: AbortSignal;
}

function path({ socket, meter }: Following, door: string, after: number): string {
  return `${WORKSPACE}/${door}?after=${String(after)}&socket=${socket}&type=received,eof&meter=${meter}`;
}

/** A request as any page would make it: the bearer, no cache. */
export async function ask(token: string | undefined, method: string, url: string, accept: string, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { Accept: accept };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(url, { method, headers, cache: 'no-store', credentials: 'omit', ...(signal === undefined ? {} : { signal }) });
  if (response.ok) return response;
  const text = await response.text();
  let problem: Problem | undefined;
  if (response.headers.get('Content-Type')?.includes('json')) problem = JSON.parse(text) as Problem;
  throw new LaneBroke({ is: 'answer', text: String(response.status), ...(problem === undefined ? {} : { problem }) });
}

/** Waits until a moment, or until halted. */
function until(moment: number, { signal }: Halt): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, moment - performance.now()));
    signal.addEventListener('abort', done);
  });
}

async function page(following: Following, url: string, teller: Teller, signal?: AbortSignal): Promise<Page> {
  const from = performance.now();
  const response = await ask(following.token, 'GET', url, 'application/json', signal);
  const page = (await response.json()) as Page;
  const at = performance.now();
  teller.asked(from, at, page.events.length);
  teller.gaps(page.gaps);
  for (const event of page.events) teller.event(event, at);
  return page;
}

/** Asks again and again, at a fixed rate. */
export async function shortPoll(following: Following, teller: Teller, halt: Halt): Promise<void> {
  const begun = performance.now();
  let { after } = following;
  let first = true;
  while (!halt.signal.aborted && !teller.ended) {
    for (;;) {
      // Not cut off when halted: its answer is due, and half an answer would be in the bill and in no figure.
      const { next, head } = await page(following, path(following, 'events', after), teller);
      after = next;
      if (first) teller.say({ type: 'ready' });
      first = false;
      // A page that ended at a limit is continued at once.
      if (next >= head || halt.signal.aborted) break;
    }
    if (teller.ended) return;
    // A poll that is late does not make the next one early: the rate is fixed, not made up for.
    const due = Math.floor((performance.now() - begun) / following.pollMs) + 1;
    await until(begun + due * following.pollMs, halt);
  }
}

/** Asks, and is answered when there is something. */
export async function longPoll(following: Following, teller: Teller, halt: Halt): Promise<void> {
  let { after } = following;
  // What matters is that the answer is waited for; the question is on its way in no time.
  teller.say({ type: 'ready' });
  while (!halt.signal.aborted && !teller.ended) {
    const { next } = await page(following, `${path(following, 'events', after)}&wait=${String(LONG_POLL_S)}`, teller, halt.signal);
    after = next;
  }
}

/** One answer that does not end. */
export async function stream(following: Following, teller: Teller, halt: Halt): Promise<void> {
  const from = performance.now();
  const response = await ask(following.token, 'GET', path(following, 'events', following.after), 'text/event-stream', halt.signal);
  const chunks = response.body!.getReader();
  const reader = new SseReader();
  const text = new TextDecoder();
  for (;;) {
    const { value, done } = await chunks.read();
    if (done) throw new LaneBroke({ is: 'stream', text: '' });
    const at = performance.now();
    for (const { event, data } of reader.push(text.decode(value, { stream: true }))) {
      if (event === 'hello') {
        teller.asked(from, at, 0);
        teller.say({ type: 'ready' });
      } else if (event === 'gap') teller.say({ type: 'lost' });
      else teller.event(JSON.parse(data) as Event, at);
    }
    if (teller.ended) {
      await chunks.cancel();
      return;
    }
  }
}

/** A socket both sides write to. A page cannot send a bearer with it, so a ticket is bought with the bearer first. */
export async function webSocket(following: Following, teller: Teller, { signal }: Halt): Promise<void> {
  const { ticket } = (await (await ask(following.token, 'POST', '/api/v1/tickets', 'application/json', signal)).json()) as Ticket;
  const url = new URL(`${path(following, 'ws', following.after)}${following.binary ? '&binary=1' : ''}`, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const from = performance.now();
  const socket = new WebSocket(url, ['sockscope.v1', `ticket.${ticket}`]);
  socket.binaryType = 'arraybuffer';
  await new Promise<void>((resolve, reject) => {
    const close = (): void => {
      socket.close(1000);
    };
    if (signal.aborted) close();
    signal.addEventListener('abort', close);
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      const at = performance.now();
      const frame = (typeof data === 'string' ? JSON.parse(data) : splitFrame(data).page) as ServerFrame;
      if ('hello' in frame) {
        teller.asked(from, at, 0);
        teller.say({ type: 'ready' });
      } else if ('events' in frame) {
        teller.gaps(frame.gaps);
        for (const event of frame.events) teller.event(event, at);
        if (teller.ended) close();
      }
    };
    socket.onclose = ({ code }) => {
      signal.removeEventListener('abort', close);
      if (teller.ended || signal.aborted) resolve();
      else reject(new LaneBroke({ is: 'websocket', text: String(code) }));
    };
  });
}
