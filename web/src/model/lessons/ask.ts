import type { Header } from './http';

/** Methods that can be chosen; whatever else there is can be typed by hand. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'] as const;

/** A method that can be chosen. */
export type Method = (typeof METHODS)[number];

/** Methods whose requests mostly have a body. */
export const WITH_BODY: readonly Method[] = ['POST', 'PUT'];

/** Why what was typed is no request. */
export type AskError = 'scheme' | 'host' | 'space' | 'colon' | 'name' | 'value' | 'many';

/** What was typed, understood, or why not; `at` is a header's line, from 1. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: AskError; readonly at: number };

/** Headers in one request at most, as on the server. */
export const MOST_HEADERS = 64;

/** Reads the URL of a request as far as to say at once what cannot be right; the server judges the rest. */
export function readUrl(text: string): Read<string> {
  const url = text.trim();
  if (/\s/u.test(url)) return { ok: false, code: 'space', at: 0 };
  const rest = /^http:\/\/(.*)$/iu.exec(url)?.[1];
  if (rest === undefined) return { ok: false, code: 'scheme', at: 0 };
  if (/^(?:[/?#:]|$)/u.test(rest)) return { ok: false, code: 'host', at: 0 };
  return { ok: true, value: url };
}

/** Reads headers, one a line; empty lines are passed over. */
export function readHeaders(text: string): Read<readonly Header[]> {
  const found: Header[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const wrong = (code: AskError): Read<readonly Header[]> => ({ ok: false, code, at: i + 1 });
    const colon = line.indexOf(':');
    if (colon < 0) return wrong('colon');
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    if (!/^[!#$%&'*+\-.^_`|~\w]+$/u.test(name)) return wrong('name');
    if (!/^[\t\x20-\x7e]*$/u.test(value)) return wrong('value');
    if (found.length === MOST_HEADERS) return wrong('many');
    found.push([name, value]);
  }
  return { ok: true, value: found };
}
