import type { Piece } from './stream';

/** A piece of one ruler and how many of another it meets. */
export interface Meeting {
  readonly piece: Piece;
  /** How many of the other's pieces it shares bytes with. */
  readonly count: number;
  /** The other's pieces from the first byte of the first to the last byte of the last. */
  readonly from: number;
  readonly to: number;
}

/** How writes became reads (or frames), as far as both are known. */
export interface Verdict {
  readonly writes: number;
  readonly reads: number;
  /** Reads that returned bytes of more than one write; the one of most of them. */
  readonly sticky: number;
  readonly mostSticky: Meeting | undefined;
  /** Writes whose bytes came out of more than one read; the one of most of them. */
  readonly split: number;
  readonly mostSplit: Meeting | undefined;
  /** Reads that returned exactly one write. */
  readonly same: number;
}

/** Holds two rulers of one direction against each other: both in the order of their bytes, without overlaps of their own. */
export function verdictOf(writes: readonly Piece[], reads: readonly Piece[]): Verdict {
  const end = Math.min(writes.at(-1)?.to ?? 0, reads.at(-1)?.to ?? 0);
  const start = Math.max(writes[0]?.from ?? 0, reads[0]?.from ?? 0);
  const within = (piece: Piece): boolean => piece.to <= end && piece.from >= start;
  const [known, returned] = [writes.filter(within), reads.filter(within)];
  const joined = meetings(returned, writes);
  const cut = meetings(known, reads);
  let same = 0;
  for (const { piece, count, from, to } of joined) if (count === 1 && from === piece.from && to === piece.to) same += 1;
  const many = (all: readonly Meeting[]): Meeting[] => all.filter(({ count }) => count > 1);
  return {
    writes: known.length,
    reads: returned.length,
    sticky: many(joined).length,
    mostSticky: most(many(joined)),
    split: many(cut).length,
    mostSplit: most(many(cut)),
    same,
  };
}

function most(all: readonly Meeting[]): Meeting | undefined {
  return all.reduce<Meeting | undefined>((best, one) => (best === undefined || one.count > best.count ? one : best), undefined);
}

/** For each piece, which of the others it shares bytes with. */
function meetings(pieces: readonly Piece[], others: readonly Piece[]): Meeting[] {
  const found: Meeting[] = [];
  let first = 0;
  for (const piece of pieces) {
    while (first < others.length && others[first]!.to <= piece.from) first += 1;
    let last = first;
    while (last + 1 < others.length && others[last + 1]!.from < piece.to) last += 1;
    const [one, other] = [others[first], others[last]];
    if (one === undefined || other === undefined || one.from >= piece.to) continue;
    found.push({ piece, count: last - first + 1, from: one.from, to: other.to });
    first = last;
  }
  return found;
}
