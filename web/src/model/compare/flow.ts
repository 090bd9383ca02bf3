/** Where something stands that is put beside others, and below them where there is no more room. */
export interface Place {
  readonly x: number;
  readonly row: number;
}

/** Places things of these widths from left to right, a row below where the next would not fit; one that never fits has a row of its own. */
export function flow(widths: readonly number[], room: number, gap: number): { readonly places: readonly Place[]; readonly rows: number } {
  const places: Place[] = [];
  let [x, row] = [0, 0];
  for (const width of widths) {
    if (x > 0 && x + width > room) [x, row] = [0, row + 1];
    places.push({ x, row });
    x += width + gap;
  }
  return { places, rows: widths.length === 0 ? 0 : row + 1 };
}
