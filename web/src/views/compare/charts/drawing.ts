/** Draws a chart anew at a width of its own, away from the page. */
export type Draw = (width: number) => Promise<HTMLCanvasElement>;

/** How each chart of the page is drawn anew, by the element it stands in. */
export const drawings = new WeakMap<Element, Draw>();
