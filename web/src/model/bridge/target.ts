import { parseTarget } from '../sockets/target';

/** What a key's target may name: one place, a range of ports, or, with `*`, all of a kind. */
export interface KeyTarget {
  readonly scheme: 'tcp' | 'udp' | 'tcp-listen' | 'udp-bind';
  /** `*` for any. */
  readonly host: string;
  /** The only port or the first of a range; undefined for any. */
  readonly port: number | undefined;
  /** The last port of a range; undefined where there is none. */
  readonly to: number | undefined;
  /** As the server takes it. */
  readonly text: string;
}

/** Why a key's target is not understood. */
export type KeyTargetError = 'scheme' | 'host' | 'bracket' | 'address' | 'port' | 'range';

const MOST = 65_535;

/** Of what is a host already, what is no name. */
const IP = /^(?:\[.*\]|[\d.]+)$/u;

/** Reads a key's target as the server will; only the server decides. */
export function keyTarget(line: string): { readonly ok: true; readonly target: KeyTarget } | { readonly ok: false; readonly code: KeyTargetError; readonly found: string } {
  const parts = /^(tcp|udp|tcp-listen|udp-bind):\/\/(.*)$/iu.exec(line.trim());
  if (parts === null) return { ok: false, code: 'scheme', found: line.trim() };
  const scheme = parts[1]!.toLowerCase() as KeyTarget['scheme'];
  const rest = parts[2]!;
  const colon = rest.endsWith(']') ? -1 : rest.lastIndexOf(':');
  if (colon < 0) return { ok: false, code: 'port', found: '' };
  const host = rest.slice(0, colon);
  const ports = rest.slice(colon + 1);
  if (host !== '*') {
    // The address bar knows what a host is; the port here is of no matter.
    const parsed = parseTarget(`${scheme}://${host}:1`);
    if (!parsed.ok) return { ok: false, code: parsed.code === 'bracket' ? 'bracket' : 'host', found: host };
    if (scheme.includes('-') && !IP.test(host)) return { ok: false, code: 'address', found: host };
  }
  if (ports === '*') return { ok: true, target: { scheme, host, port: undefined, to: undefined, text: `${scheme}://${host}:*` } };
  const numbers = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/u.exec(ports);
  const port = Number(numbers?.[1]);
  const to = numbers?.[2] === undefined ? undefined : Number(numbers[2]);
  if (numbers === null || port > MOST || (to ?? 0) > MOST) return { ok: false, code: 'port', found: ports };
  if (to !== undefined && to < port) return { ok: false, code: 'range', found: ports };
  return { ok: true, target: { scheme, host, port, to, text: `${scheme}://${host}:${ports}` } };
}
