const UNITS = ['b', 'kib', 'mib', 'gib', 'tib'];

/** Reads a number of bytes as it is written for people: `500000`, `64 KiB`, `1.5 GiB`; undefined for anything else, and for none at all. */
export function amount(text: string): number | undefined {
  const parts = /^(\d{1,15}(?:\.\d{1,3})?)\s*([kmgt]i?b|b)?$/iu.exec(text.trim());
  if (parts === null) return undefined;
  const unit = parts[2]?.toLowerCase() ?? 'b';
  const power = UNITS.indexOf(unit);
  // A megabyte of 1,000,000 is written out: which of the two is meant must not be guessed.
  if (power < 0) return undefined;
  const bytes = Math.round(Number(parts[1]) * 1024 ** power);
  return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : undefined;
}
