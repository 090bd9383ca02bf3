import { LANES } from './rungs';

/** Width of a bar, and the distance from one lane to the next. */
export const BAR_WIDTH = 7;
const LANE = 11;

/** Below this width labels take two lines, so that they fit beside the rails. */
export const NARROW = 620;

/** Kept free at the right edge for the scroll bar. */
const BAR_ROOM = 12;

/** How far a leader line reaches from the rail to its label; less where there is little room. */
const LEADER = { wide: 16, narrow: 13 };

/** Where everything stands from left to right, in pixels. A rail is a line in time; its bars stand outside of it. */
export interface Rails {
  readonly width: number;
  readonly narrow: boolean;
  readonly rowHeight: number;
  /** The right edge of the time axis. */
  readonly axis: number;
  /** The line of our calls, and of the peer's. */
  readonly ours: number;
  readonly peer: number;
  /** The outer edges of the two rails' bars, where labels begin. */
  readonly oursEdge: number;
  readonly peerEdge: number;
  readonly oursLabel: { readonly left: number; readonly width: number };
  readonly peerLabel: { readonly left: number; readonly width: number };
  readonly wireLabel: { readonly left: number; readonly width: number };
}

/**
 * Shares a width out. Without a peer its labels' room goes to ours, and a wire on which segments were captured takes
 * more than an empty one; `lanes` are those in use on each side.
 */
export function rails(width: number, lanes: { readonly ours: number; readonly peer: number }, peer: boolean, captured = false): Rails {
  const narrow = width < NARROW;
  const leader = narrow ? LEADER.narrow : LEADER.wide;
  const axis = narrow ? 58 : 84;
  const bars = { ours: railWidth(lanes.ours), peer: railWidth(lanes.peer) };
  const room = Math.max(0, width - axis - bars.ours - bars.peer - 2 * leader - BAR_ROOM);
  const wire = captured ? Math.min(400, room, Math.max(narrow ? 84 : 210, room * (narrow ? 0.38 : 0.4))) : Math.min(220, Math.max(narrow ? 44 : 90, room * (narrow ? 0.16 : 0.26)));
  const labels = Math.max(0, room - wire);
  const theirs = peer ? labels / 2 : Math.min(narrow ? 24 : 150, labels * 0.36);
  const oursEdge = axis + (labels - theirs) + leader;
  const ours = oursEdge + bars.ours;
  const peerAt = ours + wire;
  const peerEdge = peerAt + bars.peer;
  return {
    width,
    narrow,
    rowHeight: narrow ? 34 : 20,
    axis,
    ours,
    peer: peerAt,
    oursEdge,
    peerEdge,
    wireLabel: { left: ours + 3, width: Math.max(0, wire - 6) },
    oursLabel: { left: axis, width: Math.max(0, oursEdge - leader - axis) },
    peerLabel: { left: peerEdge + leader, width: Math.max(0, width - BAR_ROOM - peerEdge - leader) },
  };
}

/** The left edge of a bar: lane 0 stands on the rail's line, further ones outside of it. */
export function barLeft(at: Rails, side: 'ours' | 'peer', lane: number): number {
  const out = 3 + Math.min(lane, LANES - 1) * LANE;
  return side === 'ours' ? at.ours - out - BAR_WIDTH : at.peer + out;
}

function railWidth(lanes: number): number {
  return 4 + Math.min(LANES, Math.max(2, lanes)) * LANE;
}
