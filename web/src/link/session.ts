/** Where the token lives: in this tab's session, and with the other tabs of this browser. */

const KEY = 'sockscope-token';
const CHANNEL = 'sockscope-session';

/** How long another tab may take to answer. */
const ASK_MS = 300;

type Message = { readonly ask: true } | { readonly token: string };

/** Shares the token between the tabs of one browser; nothing of it is ever stored beyond the session. */
export class Session {
  readonly #channel = new BroadcastChannel(CHANNEL);
  /** Another tab got in. */
  ontoken: (token: string) => void = () => undefined;

  constructor() {
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if ('token' in data) this.ontoken(data.token);
      else if (this.token !== undefined) this.#channel.postMessage({ token: this.token } satisfies Message);
    };
  }

  /** The token this tab has. */
  get token(): string | undefined {
    return sessionStorage.getItem(KEY) ?? undefined;
  }

  /** Keeps a token that works, and tells the other tabs. */
  keep(token: string): void {
    sessionStorage.setItem(KEY, token);
    this.#channel.postMessage({ token } satisfies Message);
  }

  /** Forgets a token that does not work any more. */
  forget(): void {
    sessionStorage.removeItem(KEY);
  }

  /** Asks the other tabs; undefined when none answers. */
  ask(): Promise<string | undefined> {
    return new Promise((resolve) => {
      const previous = this.ontoken;
      const done = (token: string | undefined): void => {
        this.ontoken = previous;
        clearTimeout(timer);
        resolve(token);
      };
      const timer = setTimeout(() => {
        done(undefined);
      }, ASK_MS);
      this.ontoken = done;
      this.#channel.postMessage({ ask: true } satisfies Message);
    });
  }
}

/** What the fragment of the page's URL asks for. */
export interface Launch {
  /** The one-time code of a launch link. */
  readonly code?: string;
  /** A target to fill the address bar with; it is never dialled without a click. */
  readonly open?: string;
  /** The part of the page to begin with. */
  readonly mode?: 'compare' | 'lessons';
  /** Settings to fill in there, as a query; nothing is started. */
  readonly settings?: string;
}

/** Reads the fragment of a URL: `#c=CODE`, `#open=TARGET`, or both; `#compare?SETTINGS`, `#lessons`. */
export function launchOf(hash: string): Launch {
  const part = /^#(compare|lessons)(?:\?(.*))?$/u.exec(hash);
  if (part !== null) {
    const settings = part[2] ?? '';
    return { mode: part[1] as 'compare' | 'lessons', ...(settings === '' ? {} : { settings }) };
  }
  const parameters = new URLSearchParams(hash.replace(/^#/u, ''));
  const code = parameters.get('c');
  const open = parameters.get('open');
  return { ...(code === null ? {} : { code }), ...(open === null ? {} : { open }) };
}

/** What somebody pasted on the locked screen: a launch link (its code), or the token itself. */
export function pasted(input: string): { readonly code: string } | { readonly token: string } | undefined {
  const text = input.trim();
  if (text === '') return undefined;
  const hash = text.indexOf('#');
  if (hash >= 0) {
    const { code } = launchOf(text.slice(hash));
    return code === undefined ? undefined : { code };
  }
  return /\s/u.test(text) || text.includes('://') ? undefined : { token: text };
}
