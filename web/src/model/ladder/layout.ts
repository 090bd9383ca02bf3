import type { Rail, Rung, Rungs } from './rungs';
import { BREAK_PX, lastIndex, SAME_MOMENT, type TimeMap } from './timemap';

/**
 * Height of a tile. Labels are laid out tile by tile and never cross into the next, so what a stretch of the ladder
 * looks like depends on nothing outside it: panning moves labels and never regroups them.
 */
export const TILE_PX = 340;

/** Labels that may be pushed apart in one pile; a denser pile is grouped. */
const PILE = SAME_MOMENT;

/** A label: one rung, or several that lie too close to tell apart. */
export interface Item {
  readonly side: Rail;
  /** The rungs it stands for: `from` up to but not including `to`, counted on its side. */
  readonly from: number;
  readonly to: number;
  /** Where its first and last rung returned. */
  readonly top: number;
  readonly bottom: number;
  /** Where its label is centred. */
  readonly label: number;
}

/** What a group of rungs amounts to. */
export interface Summary {
  /** Calls, and facts that are none; states are counted apart. */
  readonly calls: number;
  readonly states: number;
  /** Segments with something remarkable about them. */
  readonly marked: number;
  readonly sent: number;
  readonly received: number;
  readonly errors: number;
  /** The kind of all of them, where it is one. */
  readonly kind: Rung['kind'] | undefined;
  readonly start: number;
  readonly end: number;
}

/** Labels for rungs at one scale. */
export class Layout {
  readonly rungs: Rungs;
  readonly map: TimeMap;
  readonly rowHeight: number;
  readonly #tiles = new Map<string, readonly Item[]>();

  constructor(rungs: Rungs, map: TimeMap, rowHeight: number) {
    this.rungs = rungs;
    this.map = map;
    this.rowHeight = rowHeight;
  }

  /** The labels of one side in the tiles from `first` to `last`. */
  items(side: Rail, first: number, last: number): Item[] {
    const found: Item[] = [];
    for (let tile = Math.max(0, first); tile <= last; tile += 1) found.push(...this.#tile(side, tile));
    return found;
  }

  /** The label a rung is under, by the rung's index on its side. */
  itemOf(side: Rail, index: number): Item | undefined {
    const rung = this.rungs.side(side)[index];
    if (rung === undefined) return undefined;
    return this.#tile(side, tileOf(this.map.y(rung.end))).find((item) => index >= item.from && index < item.to);
  }

  /** The index of the first rung of a side that returned at or below a pixel; the number of rungs when none did. */
  firstAt(side: Rail, y: number): number {
    return lastIndex(this.rungs.side(side), (rung) => this.map.y(rung.end) < y) + 1;
  }

  #tile(side: Rail, tile: number): readonly Item[] {
    const key = `${side} ${String(tile)}`;
    let items = this.#tiles.get(key);
    if (items === undefined) {
      items = this.#layOut(side, tile);
      this.#tiles.set(key, items);
    }
    return items;
  }

  #layOut(side: Rail, tile: number): Item[] {
    const top = tile * TILE_PX;
    const list = this.rungs.side(side);
    const from = this.firstAt(side, top);
    const to = this.firstAt(side, top + TILE_PX);
    const heights: number[] = [];
    for (let index = from; index < to; index += 1) heights.push(this.map.y(list[index]!.end));
    const items: Item[] = [];
    for (const part of this.#parts(heights, top)) {
      const mine = part.from === 0 && part.to === heights.length ? heights : heights.slice(part.from, part.to);
      const groups = part.roomy ? together(mine) : grouped(mine, top, this.rowHeight, part);
      const middles = groups.map((group) => (mine[group.from]! + mine[group.to - 1]!) / 2);
      const labels = spread(middles, this.rowHeight, part.roomy ? undefined : { top: part.top + this.rowHeight / 2, bottom: part.bottom - this.rowHeight / 2 }).at;
      for (let i = 0; i < groups.length; i += 1) {
        const group = groups[i]!;
        items.push({ side, from: from + part.from + group.from, to: from + part.from + group.to, top: mine[group.from]!, bottom: mine[group.to - 1]!, label: labels[i]! });
      }
    }
    return items;
  }

  /**
   * A tile's rungs by the stretches they lie in. Where each has a row of its own, labels stand beside their rungs and
   * may cross into the next tile, since the time axis left room for that; elsewhere they keep to their part.
   */
  #parts(heights: readonly number[], top: number): Part[] {
    const tile = { top, bottom: top + TILE_PX };
    if (!this.map.hasRoom) return [{ from: 0, to: heights.length, roomy: false, ...tile }];
    const parts: Part[] = [];
    for (let from = 0; from < heights.length; ) {
      const stretch = this.map.roomyAt(heights[from]!);
      let to = from + 1;
      if (stretch !== undefined) while (to < heights.length && heights[to]! <= stretch.bottom) to += 1;
      else while (to < heights.length && this.map.roomyAt(heights[to]!) === undefined) to += 1;
      // Between a stretch with rows and one without there is always a break, which they share.
      const above = this.map.roomyAbove(heights[from]!);
      const below = this.map.roomyBelow(heights[to - 1]!);
      parts.push({
        from,
        to,
        roomy: stretch !== undefined,
        top: Math.max(tile.top, above === undefined ? -Infinity : above.bottom + BREAK_PX / 2),
        bottom: Math.min(tile.bottom, below === undefined ? Infinity : below.top - BREAK_PX / 2),
      });
      from = to;
    }
    return parts;
  }
}

/** The tile a pixel is in. */
export function tileOf(y: number): number {
  return Math.max(0, Math.floor(y / TILE_PX));
}

/** Adds up what a group of rungs did. */
export function summary(rungs: readonly Rung[], from: number, to: number): Summary {
  let [sent, received, errors, states, marked] = [0, 0, 0, 0, 0];
  let start = Infinity;
  let kind: Rung['kind'] | undefined = rungs[from]?.kind;
  for (let i = from; i < to; i += 1) {
    const rung = rungs[i]!;
    if (rung.kind === 'sent') sent += rung.len;
    if (rung.kind === 'received') received += rung.len;
    if (rung.kind === 'segment') {
      if (rung.local) sent += rung.len;
      else received += rung.len;
    }
    if (rung.tone === 'error') errors += 1;
    if (rung.state !== undefined) states += 1;
    if (rung.marks !== undefined) marked += 1;
    if (rung.kind !== kind) kind = undefined;
    start = Math.min(start, rung.start);
  }
  return { calls: to - from - states, states, marked, sent, received, errors, kind, start, end: rungs[to - 1]?.end ?? start };
}

interface Group {
  readonly from: number;
  readonly to: number;
}

/** Neighbours in a tile that are laid out together, and the pixels they keep to. */
interface Part extends Group {
  readonly roomy: boolean;
  readonly top: number;
  readonly bottom: number;
}

/** One by one, but for those of one moment that are too many for that. */
function together(heights: readonly number[]): Group[] {
  const groups: Group[] = [];
  for (let from = 0; from < heights.length; ) {
    let to = from + 1;
    while (to < heights.length && heights[to] === heights[from]) to += 1;
    if (to - from > PILE) groups.push({ from, to });
    else for (let i = from; i < to; i += 1) groups.push({ from: i, to: i + 1 });
    from = to;
  }
  return groups;
}

/**
 * Groups what cannot be labelled one by one. First everything is laid out; where more than a pile's worth had to be
 * pushed apart, whatever falls into one row of that stretch becomes one group.
 */
function grouped(heights: readonly number[], top: number, rowHeight: number, part: { readonly top: number; readonly bottom: number }): Group[] {
  const groups: Group[] = [];
  const roomFor = Math.floor((part.bottom - part.top) / rowHeight);
  if (heights.length > 0 && roomFor <= 1) return [{ from: 0, to: heights.length }];
  for (const pile of spread(heights, rowHeight).piles) {
    if (pile.to - pile.from <= Math.min(PILE, roomFor)) {
      for (let i = pile.from; i < pile.to; i += 1) groups.push({ from: i, to: i + 1 });
      continue;
    }
    let from = pile.from;
    const row = (i: number): number => Math.floor((heights[i]! - top) / rowHeight);
    for (let i = pile.from + 1; i <= pile.to; i += 1) {
      if (i < pile.to && row(i) === row(from)) continue;
      groups.push({ from, to: i });
      from = i;
    }
  }
  return groups;
}

interface Spread {
  /** Where each lies now. */
  readonly at: number[];
  /** Those that touch each other, having been pushed apart. */
  readonly piles: Group[];
}

/**
 * Moves ascending positions apart so that neighbours are at least `distance` from each other, moving all of them as
 * little as possible (the least sum of squares: neighbours that would collide become a pile, centred on its mean).
 */
export function spread(
  wanted: readonly number[],
  distance: number,
  bounds: { readonly top: number; readonly bottom: number } = { top: -Infinity, bottom: Infinity },
): Spread {
  const piles: { from: number; to: number; sum: number }[] = [];
  const mean = (pile: { from: number; to: number; sum: number }): number => pile.sum / (pile.to - pile.from);
  for (let i = 0; i < wanted.length; i += 1) {
    // Less its rank's share, each position only has to be no less than the one before.
    let pile = { from: i, to: i + 1, sum: wanted[i]! - i * distance };
    for (let before = piles.at(-1); before !== undefined && mean(before) >= mean(pile); before = piles.at(-1)) {
      piles.pop();
      pile = { from: before.from, to: pile.to, sum: before.sum + pile.sum };
    }
    piles.push(pile);
  }
  const last = bounds.bottom - Math.max(0, wanted.length - 1) * distance;
  const at: number[] = [];
  for (const pile of piles) {
    const base = Math.max(bounds.top, Math.min(last, mean(pile)));
    for (let i = pile.from; i < pile.to; i += 1) at.push(base + i * distance);
  }
  return { at, piles };
}
