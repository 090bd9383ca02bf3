import type {
  About,
  Frame,
  HttpAnswer,
  HttpRequest,
  KeyList,
  KeyMade,
  KeyRequest,
  KernelSight,
  OpenRequest,
  Page,
  PeerKind,
  PracticeCatalog,
  PracticeRequest,
  PracticeStarted,
  Problem,
  SendAnswer,
  Seq,
  SessionToken,
  Socket,
  SocketId,
  SocketList,
  Ticket,
  TrimAnswer,
} from '../wire/generated';

/** How long a request may take before the page stops waiting; sending may wait for the peer, for 10 s by default. */
const TIMEOUT_MS = 20_000;

/** How long the HTTP client may take: the server gives up after 30 s (`PATIENCE` in `workspace/fetching.rs`), and its answer says who was late. */
const HTTP_MS = 40_000;

const WORKSPACE = '/api/v1/workspaces/default';

/** What a conversation can be taken away as. */
export type ExportFormat = 'jsonl' | 'text' | 'pcapng';

/** Where the log of a socket, or of all, is had as a file; `follow` goes on with what happens (of `pcapng`). */
export function exportPath(format: ExportFormat, socket?: SocketId, follow = false): string {
  const parameters = new URLSearchParams({ format, ...(socket === undefined ? {} : { socket }), ...(follow ? { follow: 'true' } : {}) });
  return `${WORKSPACE}/export?${parameters.toString()}`;
}

/** A request was answered with a problem, or not at all (`problem` is then undefined). */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem | undefined;

  constructor(status: number, problem: Problem | undefined, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem;
  }
}

/** What to leave out of a page of events. */
export interface EventQuery {
  readonly after: Seq;
  readonly limit: number;
  readonly socket?: string;
  /** How many bytes of each payload come with it. */
  readonly preview: number;
  /** Seconds to wait for an event where there is none yet. */
  readonly wait?: number;
}

/** The REST half of the contract. */
export class Api {
  /** Sent as bearer; undefined for a server that needs none. */
  token: string | undefined;
  /** The log that ids learned from now on are of: after a restart the same ids are somebody else's. */
  epoch = '';
  /** Called when the server does not know the token (any more). */
  onunauthorized: () => void = () => undefined;

  /** What this server is, and whether it lets us in. */
  about(): Promise<About> {
    return this.#json('GET', '/api/v1/about');
  }

  /** Exchanges the code of a launch link. */
  session(code: string): Promise<SessionToken> {
    return this.#json('POST', '/api/v1/session', { code });
  }

  /** A ticket for one WebSocket. */
  ticket(): Promise<Ticket> {
    return this.#json('POST', '/api/v1/tickets');
  }

  /** Any call about the workspace that has no name of its own here: `rest` is what follows the workspace in the path. */
  call<T>(method: string, rest: string, body?: object): Promise<T> {
    return this.#json(method, `${WORKSPACE}/${rest}`, body);
  }

  /** The same, for calls that answer nothing. */
  async tell(method: string, rest: string, body?: object): Promise<void> {
    await this.#fetch(method, `${WORKSPACE}/${rest}`, body);
  }

  /** Ends something while the page is being left: nobody is there to hear the answer. */
  farewell(rest: string): void {
    const headers: Record<string, string> = this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` };
    // The browser sends it after the page is gone. It cannot fail to anybody.
    fetch(`${WORKSPACE}/${rest}`, { method: 'DELETE', headers, credentials: 'omit', keepalive: true }).catch(() => undefined);
  }

  /** Every socket, practice peers included, as of the answer's `head`. */
  sockets(): Promise<SocketList> {
    return this.#json('GET', `${WORKSPACE}/sockets?hidden=true`);
  }

  /** One socket, as it is now. */
  socket(id: string): Promise<Socket> {
    return this.#json('GET', `${WORKSPACE}/sockets/${encodeURIComponent(id)}`);
  }

  /** Opens a socket; answers once it is open, and a page that leaves cancels it. */
  openSocket(request: OpenRequest): Promise<Socket> {
    return this.#json('POST', `${WORKSPACE}/sockets`, request);
  }

  /** Sends bytes as they are. */
  send(socket: string, bytes: Uint8Array, to?: string): Promise<SendAnswer> {
    const query = to === undefined ? '' : `?to=${encodeURIComponent(to)}`;
    return this.#json('POST', `${WORKSPACE}/sockets/${encodeURIComponent(socket)}/send${query}`, bytes);
  }

  /** One page of the log. */
  events(query: EventQuery, epoch: string): Promise<Page> {
    const parameters = new URLSearchParams({ after: String(query.after), limit: String(query.limit), payload: `preview:${String(query.preview)}`, epoch });
    if (query.socket !== undefined) parameters.set('socket', query.socket);
    if (query.wait !== undefined) parameters.set('wait', String(query.wait));
    return this.#json('GET', `${WORKSPACE}/events?${parameters.toString()}`);
  }

  /** All bytes of one event. */
  async payload(seq: Seq, epoch: string): Promise<Uint8Array> {
    const response = await this.#fetch('GET', `${WORKSPACE}/events/${String(seq)}/payload?epoch=${encodeURIComponent(epoch)}`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** The captured frame of a segment, taken apart. */
  frame(seq: Seq, epoch: string): Promise<Frame> {
    return this.#json('GET', `${WORKSPACE}/events/${String(seq)}/frame?epoch=${encodeURIComponent(epoch)}`);
  }

  /** How much of the kernel can be seen. */
  sight(): Promise<KernelSight> {
    return this.#json('GET', `${WORKSPACE}/kernel`);
  }

  /** The keys for bridges, and what was done with each. */
  keys(): Promise<KeyList> {
    return this.#json('GET', `${WORKSPACE}/keys`);
  }

  /** Makes a key for bridges; its secret is told this once. */
  makeKey(request: KeyRequest): Promise<KeyMade> {
    return this.#json('POST', `${WORKSPACE}/keys`, request);
  }

  /** Revokes a key for bridges and closes its sockets. */
  async revokeKey(id: string): Promise<void> {
    await this.#fetch('DELETE', `${WORKSPACE}/keys/${encodeURIComponent(id)}`);
  }

  /** Clears the log up to a place. */
  trim(upTo: Seq, epoch: string): Promise<TrimAnswer> {
    return this.#json('POST', `${WORKSPACE}/log/trim`, { up_to: upTo, epoch });
  }

  /** Has the server make HTTP requests over sockets of the workspace; it closes them when `signal` says that nobody waits any more. */
  async http(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const response = await this.#fetch('POST', `${WORKSPACE}/http`, request, { timeout: HTTP_MS, signal });
    return (await response.json()) as HttpAnswer;
  }

  /** The practice peers there are. */
  practice(): Promise<PracticeCatalog> {
    return this.#json('GET', '/api/v1/practice');
  }

  /** Starts a practice peer. */
  startPeer(peer: PeerKind): Promise<PracticeStarted> {
    return this.#json('POST', `${WORKSPACE}/practice`, { peer });
  }

  /** Starts a practice peer that has settings. */
  startPeerWith(request: PracticeRequest): Promise<PracticeStarted> {
    return this.#json('POST', `${WORKSPACE}/practice`, request);
  }

  /** Stops a practice peer by its listener. */
  async stopPeer(id: string): Promise<void> {
    await this.#fetch('DELETE', `${WORKSPACE}/practice/${encodeURIComponent(id)}`);
  }

  /** A conversation to take away. */
  async export(format: ExportFormat, socket?: SocketId): Promise<Blob> {
    // A large log takes longer than any other answer, and arrives as it is written.
    const response = await this.#fetch('GET', exportPath(format, socket), undefined, { timeout: 600_000 });
    return response.blob();
  }

  async #json<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await this.#fetch(method, path, body);
    return (await response.json()) as T;
  }

  async #fetch(method: string, path: string, body?: object, { timeout = TIMEOUT_MS, signal }: { timeout?: number; signal?: AbortSignal } = {}): Promise<Response> {
    const headers: Record<string, string> = {};
    if (this.token !== undefined) headers.Authorization = `Bearer ${this.token}`;
    const raw = body instanceof Uint8Array;
    if (body !== undefined) headers['Content-Type'] = raw ? 'application/octet-stream' : 'application/json';
    let response: Response;
    try {
      response = await fetch(path, {
        method,
        headers,
        body: body === undefined ? null : raw ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
        cache: 'no-store',
        credentials: 'omit',
        signal: AbortSignal.any([AbortSignal.timeout(timeout), ...(signal === undefined ? [] : [signal])]),
      });
    } catch (error) {
      throw new ApiError(0, undefined, String(error));
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 401) this.onunauthorized();
    throw new ApiError(response.status, problem, problem?.detail ?? response.statusText);
  }
}

async function problemOf(response: Response): Promise<Problem | undefined> {
  if (!response.headers.get('Content-Type')?.includes('json')) return undefined;
  try {
    return (await response.json()) as Problem;
  } catch {
    // Something between us and the server answered in its place; the status is all there is to say.
    return undefined;
  }
}
