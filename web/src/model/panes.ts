/** The panes that can be made wider and narrower; what is between them takes the rest. */
export type SidePane = 'sockets' | 'detail';

/** Widths somebody chose, in pixels; null where nobody did. */
export type Wanted = Readonly<Record<SidePane, number | null>>;

/** What each pane needs to be of use, in pixels. */
export const LEAST = { sockets: 180, middle: 360, detail: 290 } as const;

/** The line between two panes, in pixels. */
export const LINE = 1;

/** Below this there is little room, and the sides keep to what they need. */
const ROOMY = 1180;

/** A side pane as it is: its width and how far it can go. */
export interface PaneWidth {
  readonly now: number;
  readonly least: number;
  readonly most: number;
}

/** What a side is given when nobody chose. */
export function usual(pane: SidePane, total: number): number {
  if (pane === 'sockets') return total <= ROOMY ? 216 : Math.max(230, Math.round(total * 0.19));
  return total <= ROOMY ? 312 : Math.max(300, Math.round(total * 0.27));
}

/** What the ladder needs to have room for its three rails; where the timeline would leave less, it is hidden. */
const WIDE = 640;

/** Shares a width out with most of it for the detail: the sockets keep to what they need, and so does the middle, or it goes. */
export function wideWidths(total: number, wanted: Wanted): Readonly<Record<SidePane, PaneWidth>> & { readonly middle: boolean } {
  const ask = Math.max(LEAST.sockets, wanted.sockets ?? LEAST.sockets);
  const middle = total - 2 * LINE - LEAST.sockets - LEAST.middle >= WIDE;
  const most = Math.max(LEAST.sockets, total - 2 * LINE - (middle ? LEAST.middle : 0) - WIDE);
  const sockets = Math.min(ask, most);
  const detail = Math.max(LEAST.detail, total - sockets - (middle ? LEAST.middle + 2 * LINE : LINE));
  return { sockets: { now: sockets, least: LEAST.sockets, most }, detail: { now: detail, least: LEAST.detail, most: detail }, middle };
}

/** Shares a width out. Where it is too little for what was wanted, the detail gives way first, then the sockets. */
export function paneWidths(total: number, wanted: Wanted): Readonly<Record<SidePane, PaneWidth>> {
  const sides = total - 2 * LINE - LEAST.middle;
  const ask = (pane: SidePane): number => Math.max(LEAST[pane], wanted[pane] ?? usual(pane, total));
  const sockets = Math.max(LEAST.sockets, Math.min(ask('sockets'), sides - LEAST.detail));
  const detail = Math.max(LEAST.detail, Math.min(ask('detail'), sides - sockets));
  return {
    sockets: { now: sockets, least: LEAST.sockets, most: Math.max(sockets, sides - detail) },
    detail: { now: detail, least: LEAST.detail, most: Math.max(detail, sides - sockets) },
  };
}
