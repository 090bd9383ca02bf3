import type { Item } from './layout';
import type { Link } from './links';
import type { Rails } from './rails';
import type { Side } from './rungs';

/** Half of what an arrow falls on its way: one time is known of a segment, so the slope says nothing but the direction. */
export const FALL_PX = 3;

/** Where an arrow bends to pass below its label, seen from either rail. */
const BEND = 0.12;

/** A line longer than this is drawn at its ends only: dozens of them side by side would be a curtain. */
const LONG_PX = 700;
const STUB_PX = 12;

/** The lines of the ladder as SVG paths, between rails that stand so, counted from a pixel of the map. */
export class Strokes {
  readonly at: Rails;
  readonly origin: number;

  constructor(at: Rails, origin: number) {
    this.at = at;
    this.origin = origin;
  }

  /** Where the line of a rail stands. */
  rail(side: Side): number {
    return side === 'ours' ? this.at.ours : this.at.peer;
  }

  /** A segment from rail to rail, at the time it was seen; where its label had to move, it bends to stay with it. */
  flight(item: Item, fromOurs: boolean): string {
    const { ours, peer } = this.at;
    const [from, to] = fromOurs ? [ours, peer] : [peer, ours];
    const bend = (to - from) * BEND;
    const y = item.top - this.origin;
    const label = item.label - this.origin;
    if (Math.abs(label - y) < 1) return `M${String(from)} ${String(y - FALL_PX)} L${String(to)} ${String(y + FALL_PX)}`;
    return `M${String(from)} ${String(y - FALL_PX)} L${String(from + bend)} ${String(label - FALL_PX / 2)} L${String(to - bend)} ${String(label + FALL_PX / 2)} L${String(to)} ${String(y + FALL_PX)}`;
  }

  /** Where a segment ends: in an arrow, or a cross where it ends everything. */
  tip(item: Item, fromOurs: boolean, cross: boolean): string {
    const to = fromOurs ? this.at.peer : this.at.ours;
    const y = item.top - this.origin + FALL_PX;
    return cross ? `M${String(to + (fromOurs ? -9 : 3))} ${String(y - 4)} l6 8 m0 -8 l-6 8` : arrow(to, y, fromOurs ? 'ours' : 'peer');
  }

  /** The same bytes at both ends; whole, or where that would be too long its ends. */
  link(link: Link, whole: boolean): string {
    const [leaves, arrives] = [link.leaves - this.origin, link.arrives - this.origin];
    const from = this.rail(link.from);
    const to = this.rail(link.from === 'ours' ? 'peer' : 'ours');
    if (whole || arrives - leaves <= LONG_PX) return `M${String(from)} ${String(leaves)} L${String(to)} ${String(arrives)}`;
    const out = (link.from === 'ours' ? 1 : -1) * Math.min(24, (this.at.peer - this.at.ours) * 0.3);
    return `M${String(from)} ${String(leaves)} l${String(out)} ${String(STUB_PX)} M${String(to)} ${String(arrives)} l${String(-out)} ${String(-STUB_PX)}`;
  }

  /** The arrow a link ends in. */
  head(link: Link): string {
    return arrow(this.rail(link.from === 'ours' ? 'peer' : 'ours'), link.arrives - this.origin, link.from);
  }

  /** From a call to its label. */
  leader(item: Item): string {
    const edge = item.side === 'ours' ? this.at.oursEdge : this.at.peerEdge;
    const out = item.side === 'ours' ? -1 : 1;
    const from = (item.top + item.bottom) / 2 - this.origin;
    return `M${String(edge)} ${String(from)} L${String(edge + out * 10)} ${String(item.label - this.origin)} h${String(out * 4)}`;
  }

  /** What a group of calls holds together. */
  bracket(item: Item): string {
    const edge = item.side === 'ours' ? this.at.oursEdge : this.at.peerEdge;
    const out = item.side === 'ours' ? 3 : -3;
    return `M${String(edge + out)} ${String(item.top - this.origin - 1)} h${String(-out)} V${String(item.bottom - this.origin + 1)} h${String(out)}`;
  }

  /** The edge of a break, over all of the width. */
  wave(y: number): string {
    let path = `M0 ${String(y)}`;
    for (let x = 0; x < this.at.width; x += 24) path += ` q6 -4 12 0 t12 0`;
    return path;
  }
}

function arrow(x: number, y: number, from: Side): string {
  const out = from === 'ours' ? -1 : 1;
  return `M${String(x + out * 7)} ${String(y - 3)} L${String(x)} ${String(y)} L${String(x + out * 7)} ${String(y + 3)}`;
}
