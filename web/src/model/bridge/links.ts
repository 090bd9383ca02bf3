import { keyTarget } from './target';

/** What programs are given to come in with a key. */
export interface KeyLinks {
  /** One WebSocket to the key's first target. */
  readonly wsproxy: string;
  /** Many streams over one WebSocket. */
  readonly wisp: string;
  /** What stands in the first one for the program to replace, because the key leaves it open. */
  readonly blanks: readonly ('HOST' | 'PORT')[];
}

/** The addresses a key opens on the server whose page is at `page`. */
export function keyLinks(page: { readonly protocol: string; readonly host: string }, secret: string, targets: readonly string[]): KeyLinks {
  const base = `${page.protocol === 'https:' ? 'wss' : 'ws'}://${page.host}/k/${secret}`;
  const first = keyTarget(targets[0] ?? '');
  const target = first.ok ? first.target : { scheme: 'tcp', host: '*', port: undefined, to: undefined };
  const blanks: ('HOST' | 'PORT')[] = [];
  if (target.host === '*') blanks.push('HOST');
  if (target.port === undefined) blanks.push('PORT');
  const host = target.host === '*' ? 'HOST' : inPath(target.host);
  const port = target.port === undefined ? 'PORT' : String(target.port);
  return { wsproxy: `${base}/bridge/${target.scheme}/${host}/${port}`, wisp: `${base}/wisp/`, blanks };
}

/** A host as a part of a path: the brackets and colons of IPv6 stay, as clients of this contract write them. */
function inPath(host: string): string {
  return host.startsWith('[') ? host.replaceAll('%', '%25') : encodeURIComponent(host);
}
