/** The kinds of socket a target can name. */
export const SCHEMES = ['tcp', 'tcp-listen', 'udp', 'udp-bind'] as const;

/** A kind of socket a target can name. */
export type Scheme = (typeof SCHEMES)[number];

/** Why a target is not understood. */
export type TargetError = 'empty' | 'scheme' | 'host' | 'no_host' | 'bracket' | 'no_port' | 'port' | 'port_zero' | 'rest' | 'space';

/** What the address bar makes of what was typed. */
export type ParsedTarget =
  | {
      readonly ok: true;
      readonly scheme: Scheme;
      readonly host: string;
      readonly port: number;
      /** The target in full, as the server takes it. */
      readonly target: string;
      /** Whether the kind of socket was added by us. */
      readonly guessed: boolean;
    }
  | { readonly ok: false; readonly at: number; readonly code: TargetError; readonly found: string };

/** Whether a kind of socket waits for others instead of dialling. */
export function waits(scheme: Scheme): boolean {
  return scheme === 'tcp-listen' || scheme === 'udp-bind';
}

/**
 * Reads a target as the server will: `scheme://host:port`, IPv6 in brackets. Only the server decides; this answers
 * while typing. Beyond the server's grammar `host:port` means TCP, and `:port` a TCP listener on this machine.
 */
export function parseTarget(input: string): ParsedTarget {
  const lead = input.length - input.trimStart().length;
  const text = input.trim();
  if (text === '') return wrong(0, 'empty', '');
  const space = text.search(/\s/u);
  if (space >= 0) return wrong(lead + space, 'space', text.slice(space, space + 1));
  const mark = text.indexOf('://');
  let scheme: Scheme;
  let rest = text;
  let at = lead;
  if (mark >= 0) {
    const named = text.slice(0, mark).toLowerCase();
    const known = SCHEMES.find((candidate) => candidate === named);
    if (known === undefined) return wrong(lead, 'scheme', named);
    scheme = known;
    rest = text.slice(mark + 3);
    at += mark + 3;
  } else {
    scheme = text.startsWith(':') ? 'tcp-listen' : 'tcp';
  }
  return authority(rest, at, scheme, mark < 0);
}

function authority(rest: string, at: number, scheme: Scheme, guessed: boolean): ParsedTarget {
  const slash = rest.search(/[/?#@\\]/u);
  if (slash >= 0) return wrong(at + slash, 'rest', rest.slice(slash));
  let host: string;
  let colon: number;
  if (rest.startsWith('[')) {
    const close = rest.indexOf(']');
    if (close < 0) return wrong(at, 'bracket', rest);
    host = rest.slice(0, close + 1);
    if (!/^\[[0-9a-f:.]+(%[\w.~-]+)?\]$/iu.test(host) || !host.includes(':')) return wrong(at + 1, 'host', host);
    colon = close + 1;
    if (rest[colon] !== ':') return wrong(at + colon, 'no_port', host);
  } else {
    colon = rest.lastIndexOf(':');
    if (colon < 0) return wrong(at + rest.length, 'no_port', rest);
    host = rest.slice(0, colon);
    if (host.includes(':')) return wrong(at, 'bracket', host);
    if (host === '' && !waits(scheme)) return wrong(at, 'no_host', '');
    // Names in other scripts are the server's to judge (IDNA); only what can be no name anywhere is caught here.
    if (/[[\]%<>"'`^{}|,;!$&()*+=]/u.test(host) || host.startsWith('.') || host.includes('..') || host.length > 253) return wrong(at, 'host', host);
  }
  const digits = rest.slice(colon + 1);
  if (digits === '') return wrong(at + rest.length, 'no_port', host);
  if (!/^\d{1,5}$/u.test(digits) || Number(digits) > 65535) return wrong(at + colon + 1, 'port', digits);
  const port = Number(digits);
  if (port === 0 && !waits(scheme)) return wrong(at + colon + 1, 'port_zero', digits);
  return { ok: true, scheme, host, port, target: `${scheme}://${host}:${digits}`, guessed };
}

function wrong(at: number, code: TargetError, found: string): ParsedTarget {
  return { ok: false, at, code, found };
}
