import { formatEscapes, parseEscapes, type EscapeError } from '../bytes/escapes';
import type { Parsed } from '../bytes/result';

/**
 * Bytes as somebody can type them: escapes, and after every LF a line break that is only there for the eye. A CRLF is
 * thus seen as `\r\n` at the end of a line, and a bare LF as `\n`.
 */
export function asTyped(bytes: Uint8Array): string {
  const lines: string[] = [];
  let from = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, from)) {
    lines.push(formatEscapes(bytes.subarray(from, at + 1)));
    from = at + 1;
  }
  if (from < bytes.length) lines.push(formatEscapes(bytes.subarray(from)));
  return lines.join('\n');
}

/**
 * The bytes of what was typed. A line break after a written-out `\n` is for the eye; any other stands for CRLF, which is
 * what somebody means who presses Enter at the end of a header.
 */
export function typedBytes(text: string): Parsed<EscapeError> {
  return parseEscapes(spelled(text));
}

function spelled(text: string): string {
  const lines = text.replace(/\r\n?/gu, '\n').split('\n');
  return lines.map((line, i) => (i === lines.length - 1 || endsInLf(line) ? line : `${line}\\r\\n`)).join('');
}

/** Whether a line ends with the escape of LF: its backslash must not itself be escaped. */
function endsInLf(line: string): boolean {
  const slashes = /(\\+)n$/u.exec(line)?.[1];
  return slashes !== undefined && slashes.length % 2 === 1;
}
