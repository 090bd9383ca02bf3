import { strokeOf } from '../wire/marks';
import { type Bar, CAP_PX, DOT_PX, spanOf, waits } from './bars';
import type { Item } from './layout';
import type { Link } from './links';
import { BAR_WIDTH, barLeft } from './rails';
import type { Rung, Side } from './rungs';
import type { Strokes } from './strokes';

/** Everything that looks the same, as one path. `head` is what of it is never dashed. */
export interface Sketched {
  readonly look: string;
  readonly body: string;
  readonly head: string;
}

/** What is drawn of a ladder, but for its labels. */
export interface Drawn {
  readonly links: readonly Link[];
  readonly segments: readonly { readonly item: Item; readonly first: Rung }[];
  readonly bars: Readonly<Record<Side, readonly Bar[]>>;
}

/**
 * A ladder in a handful of paths, looking as it does in hundreds of elements that one can point at: each step of a zoom
 * changes all of it.
 */
export function sketch(drawn: Drawn, strokes: Strokes): Sketched[] {
  const looks = new Map<string, { look: string; body: string; head: string }>();
  const add = (look: string, body: string, head = ''): void => {
    const known = looks.get(look);
    if (known === undefined) looks.set(look, { look, body, head });
    else {
      known.body += body;
      known.head += head;
    }
  };
  for (const link of drawn.links) add(`link ${lookOf(link)}`, strokes.link(link, false), strokes.head(link));
  for (const { item, first } of drawn.segments) {
    if (item.to - item.from > 1) {
      const { ours, peer } = strokes.at;
      add('crowd', box(ours + 3, item.top - strokes.origin - 1, Math.max(0, peer - ours - 6), item.bottom - item.top + 2));
    } else if (first.kind === 'segment') {
      add(`segment ${first.tone} ${strokeOf(first.marks)}`, strokes.flight(item, first.local), strokes.tip(item, first.local, first.tone === 'error'));
    }
  }
  for (const side of ['ours', 'peer'] as const) {
    for (const bar of drawn.bars[side]) {
      const x = barLeft(strokes.at, side, bar.lane);
      const { top, height } = spanOf(bar, strokes.origin);
      if (!bar.call) add(`dot ${bar.tone}`, circle(x + BAR_WIDTH / 2, bar.top - strokes.origin));
      else if (waits(bar, height)) add(`bar wait ${bar.tone}`, box(x + 0.5, top, BAR_WIDTH - 1, height), box(x, top + height - CAP_PX, BAR_WIDTH, CAP_PX));
      else add(`bar ${bar.tone}`, box(x, top, BAR_WIDTH, height));
    }
  }
  return [...looks.values()];
}

/** How a link looks: as what sent the bytes, or as the end it is. */
export function lookOf(link: Link): string {
  return link.kind === 'bytes' ? (link.from === 'ours' ? 'sent' : 'received') : link.kind;
}

const box = (x: number, y: number, width: number, height: number): string => `M${String(x)} ${String(y)}h${String(width)}v${String(height)}h${String(-width)}z`;

const circle = (x: number, y: number): string => `M${String(x - DOT_PX)} ${String(y)}a${String(DOT_PX)} ${String(DOT_PX)} 0 1 0 ${String(2 * DOT_PX)} 0a${String(DOT_PX)} ${String(DOT_PX)} 0 1 0 ${String(-2 * DOT_PX)} 0z`;
