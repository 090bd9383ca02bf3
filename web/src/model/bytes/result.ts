/** What a parser of typed bytes answers: the bytes, or where the text is wrong (`at`: 0-based, in UTF-16 units) and why. */
export type Parsed<Code extends string> =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly at: number; readonly code: Code };

/** The value of a hexadecimal digit given as a UTF-16 unit, or -1. */
export function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const lower = unit | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** A byte as two lower-case hexadecimal digits. */
export function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
