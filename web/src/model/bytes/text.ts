import { hexByte } from './result';
import { isHidden, walkUtf8 } from './utf8';

/**
 * A stretch of received bytes as it is shown. `text` is drawn as it is, `control` is the visible escape of a character
 * that would not show or would move others, `invalid` the escapes of bytes that are not UTF-8.
 */
export interface Run {
  readonly kind: 'text' | 'control' | 'invalid';
  readonly text: string;
}

const SHORT: Readonly<Record<number, string>> = { 0x00: '\\0', 0x09: '\\t', 0x0a: '\\n', 0x0d: '\\r' };

const MARK = /\p{M}/u;

/** Real scripts stack at most about four marks on a letter; hundreds of them climb over the rows above. */
const MAX_MARKS = 4;

/**
 * Splits bytes, read as UTF-8, into runs that can be put into a page as text nodes: whatever was received, nothing in
 * them breaks a line, hides, or changes the order of what stands beside it (letters written right to left still take
 * their own order, so put each text into an element with `unicode-bidi: isolate`).
 */
export function safeText(bytes: Uint8Array): Run[] {
  const runs = new RunBuilder();
  walkUtf8(bytes, (codePoint, at) => {
    if (codePoint < 0) runs.add('invalid', `\\x${hexByte(bytes[at] ?? 0)}`);
    else runs.addCodePoint(codePoint);
  });
  return runs.finish();
}

/** The same for a string: half a surrogate pair counts as a control, since strings have no invalid bytes. */
export function safeRuns(text: string): Run[] {
  const runs = new RunBuilder();
  for (const character of text) runs.addCodePoint(character.codePointAt(0) ?? 0);
  return runs.finish();
}

/** A string from elsewhere (a name, a host, an error) as one line in which every character shows and none moves others. */
export function safeLine(text: string): string {
  return safeRuns(text)
    .map((run) => run.text)
    .join('');
}

/** Grows runs character by character, joining neighbours of one kind. */
class RunBuilder {
  readonly #runs: Run[] = [];
  #kind: Run['kind'] = 'text';
  #text = '';
  #marks = 0;

  add(kind: Run['kind'], text: string): void {
    if (kind !== this.#kind) this.#flush();
    this.#kind = kind;
    this.#text += text;
    this.#marks = 0;
  }

  addCodePoint(codePoint: number): void {
    if (isHidden(codePoint)) {
      this.add('control', escapeOf(codePoint));
      return;
    }
    const character = String.fromCodePoint(codePoint);
    if (codePoint < 0x300 || !MARK.test(character)) {
      this.add('text', character);
      return;
    }
    // A mark with no letter before it would sit on whatever the page put there.
    const orphan = this.#kind !== 'text' || this.#text === '';
    if (orphan || this.#marks >= MAX_MARKS) {
      const marks = this.#marks;
      this.add('control', escapeOf(codePoint));
      this.#marks = marks;
      return;
    }
    this.#text += character;
    this.#marks++;
  }

  finish(): Run[] {
    this.#flush();
    return this.#runs;
  }

  #flush(): void {
    if (this.#text !== '') this.#runs.push({ kind: this.#kind, text: this.#text });
    this.#text = '';
  }
}

function escapeOf(codePoint: number): string {
  const short = SHORT[codePoint];
  if (short !== undefined) return short;
  return codePoint < 0x80 ? `\\x${hexByte(codePoint)}` : `\\u{${codePoint.toString(16)}}`;
}
