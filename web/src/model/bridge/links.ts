import { keyTarget } from './target';

/** What programs are given to come in with a key. */
export interface KeyLinks {
  /** Where the key lets dial: one WebSocket to the first target, and many streams over one WebSocket. */
  readonly dialled: { readonly wsproxy: string; readonly wisp: string } | undefined;
  /** What stands in the first one for the program to replace, because the key leaves it open. */
  readonly blanks: readonly ('HOST' | 'PORT')[];
  /** What a page says to have sockets of its own. */
  readonly direct: string;
}

/** The addresses a key opens on the server whose page is at `page`. */
export function keyLinks(page: { readonly protocol: string; readonly host: string }, secret: string, targets: readonly string[]): KeyLinks {
  const base = `${page.protocol === 'https:' ? 'wss' : 'ws'}://${page.host}/k/${secret}`;
  const direct = [
    `import { install, TCPSocket } from '${page.protocol}//${page.host}/sdk/direct-sockets.js';`,
    `install({ url: '${base}/bridge/sockets' });`,
  ].join('\n');
  // Where may be listened is no place to go.
  const first = targets.map(keyTarget).find((read) => read.ok && !read.target.scheme.includes('-'));
  if (!first?.ok) return { dialled: undefined, blanks: [], direct };
  const { target } = first;
  const blanks: ('HOST' | 'PORT')[] = [];
  if (target.host === '*') blanks.push('HOST');
  if (target.port === undefined) blanks.push('PORT');
  const host = target.host === '*' ? 'HOST' : inPath(target.host);
  const port = target.port === undefined ? 'PORT' : String(target.port);
  return { dialled: { wsproxy: `${base}/bridge/${target.scheme}/${host}/${port}`, wisp: `${base}/wisp/` }, blanks, direct };
}

/** A host as a part of a path: the brackets and colons of IPv6 stay, as clients of this contract write them. */
function inPath(host: string): string {
  return host.startsWith('[') ? host.replaceAll('%', '%25') : encodeURIComponent(host);
}
