/** The tallest element every browser lays out; a longer list is scrolled in proportion instead of pixel by pixel. */
export const MAX_HEIGHT = 8_000_000;

/** A list of rows of one height in a viewport. */
export interface Geometry {
  readonly rows: number;
  readonly rowHeight: number;
  readonly viewport: number;
}

/** How tall the scrolled element is. */
export function scrollHeight(g: Geometry): number {
  return Math.min(g.rows * g.rowHeight, MAX_HEIGHT);
}

/** The largest position: the last row just fits. Positions count rows, fractions included. */
export function maxTop(g: Geometry): number {
  return Math.max(0, g.rows - g.viewport / g.rowHeight);
}

/** The position a scroll offset stands for. */
export function topOf(scrollTop: number, g: Geometry): number {
  const travel = scrollHeight(g) - g.viewport;
  if (travel <= 0) return 0;
  return Math.min(1, Math.max(0, scrollTop / travel)) * maxTop(g);
}

/** The scroll offset that stands for a position. */
export function scrollOf(top: number, g: Geometry): number {
  const most = maxTop(g);
  if (most === 0) return 0;
  return (Math.min(most, Math.max(0, top)) / most) * Math.max(0, scrollHeight(g) - g.viewport);
}

/** Whether the list is so long that a pixel of the scroll bar is more than a pixel of rows. */
export function scaled(g: Geometry): boolean {
  return g.rows * g.rowHeight > MAX_HEIGHT;
}

/** The rows to draw at a position: the first, and how many. */
export function visible(top: number, g: Geometry): { readonly first: number; readonly count: number } {
  const first = Math.max(0, Math.min(Math.floor(top), g.rows - 1));
  return { first, count: Math.max(0, Math.min(g.rows - first, Math.ceil(g.viewport / g.rowHeight) + 1)) };
}

/** The position nearest to `top` at which a row is in sight as a whole. */
export function reveal(row: number, top: number, g: Geometry): number {
  // Where not one row fits, the list is not drawn: the row goes to the upper edge.
  const fits = Math.max(1, g.viewport / g.rowHeight);
  if (row < top) return row;
  if (row + 1 > top + fits) return Math.max(0, row + 1 - fits);
  return top;
}
