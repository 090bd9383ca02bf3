import { clampScale, fitScale, Gaps, MAX_SCALE, moments, READABLE_RUNGS, readableScale, type Room, STEP, TimeMap } from './timemap';
import type { Rungs } from './rungs';

/** Pixels kept free above the first and below the last rung. */
export const MARGIN_PX = 28;

/** A new choice of scale must differ by this factor to be worth moving everything under the reader's eyes. */
const CALM = 2;

/** How much taller than its rows alone something is drawn, where even those are taller than the view. */
const SPACIOUS = 1.3;

/**
 * What part of a ladder is in sight, at what scale. Until the reader touches it, it keeps everything in sight, or where
 * that would be too small to read, the end at a readable scale; afterwards it stays, and follows only from the bottom.
 */
export class Viewport {
  scale = 1;
  /** The pixel of the map at the upper edge. */
  top = -MARGIN_PX;
  height = 0;
  compress = true;
  map = new TimeMap(new Float64Array(), 1, true);
  /** Whether the reader has not chosen a view yet. */
  auto = true;
  /** Whether the whole ladder is kept in sight as it grows. */
  whole = false;
  #times: Float64Array = new Float64Array();
  #gaps = new Gaps(this.#times);
  #ends = this.#gaps;
  #row = 20;
  #room: Room = { rails: [], row: 20 };
  /** Whether there are so few rungs that all of them can have a row. */
  #few = true;

  /** New rungs: whatever the reader sees stays where it is, unless it was the end and the end moved. */
  data(rungs: Rungs, rowHeight: number): void {
    const bottom = this.atBottom;
    this.#times = moments(rungs.ours, rungs.peer, rungs.wire);
    // Each rail is labelled for itself, so only neighbours on one can crowd each other.
    const ends = [rungs.ours, rungs.peer, rungs.wire].map((rail) => Float64Array.from(rail, (rung) => rung.end));
    const longer = ends.reduce((most, rail) => (rail.length > most.length ? rail : most));
    this.#ends = new Gaps(longer);
    this.#room = { rails: ends, row: rowHeight };
    this.#few = longer.length <= READABLE_RUNGS;
    this.#gaps = new Gaps(this.#times);
    this.#row = rowHeight;
    const anchor = this.map.t(this.top);
    const had = this.map.end > this.map.start || this.map.end > 0;
    if (this.auto || this.whole) this.#choose();
    this.#rebuild();
    if (this.whole && !bottom) this.top = had ? this.map.y(anchor) : -MARGIN_PX;
    else if (this.auto || bottom) this.top = this.#lowest;
    else if (had) this.top = this.map.y(anchor);
    this.#clamp();
  }

  /** The room there is. */
  resize(height: number): void {
    const bottom = this.atBottom;
    this.height = height;
    if (this.auto || this.whole) {
      this.#choose();
      this.#rebuild();
    }
    if (bottom) this.top = this.#lowest;
    this.#clamp();
  }

  /** Whether the last rung is in sight, so that the view follows new ones. */
  get atBottom(): boolean {
    return this.top >= this.#lowest - 1;
  }

  /** The share of everything that is above, and the share in sight. */
  get extent(): { readonly above: number; readonly seen: number } {
    const all = this.map.height + 2 * MARGIN_PX;
    const seen = all <= this.height ? 1 : this.height / all;
    return { above: Math.min(1 - seen, Math.max(0, (this.top + MARGIN_PX) / all)), seen };
  }

  /** Moves by pixels; answers whether there was anywhere to go. */
  pan(pixels: number): boolean {
    const before = this.top;
    this.top += pixels;
    this.#clamp();
    if (this.top === before) return false;
    this.#touched();
    return true;
  }

  /** Shows the part that begins at a share of everything. */
  panTo(above: number): void {
    this.top = above * (this.map.height + 2 * MARGIN_PX) - MARGIN_PX;
    this.#clamp();
    this.#touched();
  }

  /** Looks `factor` times closer; the moment at pixel `at` of the view stays there. */
  zoom(factor: number, at: number): void {
    this.#touched();
    this.#rescale(clampScale(this.scale / factor), this.top + at, at);
  }

  /** Brings everything into sight, and keeps it there. */
  fit(): void {
    this.auto = false;
    this.whole = true;
    this.scale = this.#fitting();
    this.#rebuild();
    this.top = -MARGIN_PX;
    this.#clamp();
  }

  /** Shows the stretch of time between two moments, as large as fits. */
  show(from: number, to: number): void {
    this.#touched();
    const room = Math.max(1, this.height - 4 * MARGIN_PX);
    this.scale = clampScale(Math.max((to - from) / room, this.scale / 64));
    this.#rebuild();
    this.top = (this.map.y(from) + this.map.y(to) - this.height) / 2;
    this.#clamp();
  }

  /** Brings pixels of the map into sight, moving as little as possible. */
  reveal(top: number, bottom: number): void {
    const room = this.height - 2 * MARGIN_PX;
    if (top < this.top + MARGIN_PX || bottom - top > room) this.pan(top - MARGIN_PX - this.top);
    else if (bottom > this.top + this.height - MARGIN_PX) this.pan(bottom + MARGIN_PX - this.height - this.top);
  }

  /** Draws idle stretches short, or true to scale; the moment in the middle stays. */
  setCompress(compress: boolean): void {
    this.compress = compress;
    if (this.whole) this.fit();
    else this.#rescale(this.scale, this.top + this.height / 2, this.height / 2);
  }

  #rescale(scale: number, pixel: number, at: number): void {
    const moment = this.map.t(pixel);
    this.scale = scale;
    this.#rebuild();
    this.top = this.map.y(moment) - at;
    this.#clamp();
  }

  #touched(): void {
    this.auto = false;
    this.whole = false;
  }

  #choose(): void {
    const ideal = this.#ideal();
    const calm = this.map.height > 0 && ideal < this.scale * CALM && ideal > this.scale / CALM;
    if (!calm || this.whole) this.scale = ideal;
  }

  #ideal(): number {
    return this.whole ? this.#fitting() : Math.min(this.#fitting(), readableScale(this.#ends, this.#row));
  }

  /**
   * The closest scale that shows all, but no closer than reading asks for: a few calls need no magnifying glass. Few
   * rungs keep their rows even where all of them are taller than the view: one that is grouped away is not seen either.
   */
  #fitting(): number {
    const closest = clampScale(readableScale(this.#ends, this.#row) / 3);
    if (this.#few && this.compress) {
      const height = (scale: number): number => new TimeMap(this.#times, scale, true, this.#room).height;
      const most = Math.max(this.height - 2 * MARGIN_PX, height(MAX_SCALE) * SPACIOUS);
      for (let scale = closest; scale < MAX_SCALE; scale *= STEP) if (height(scale) <= most) return scale;
      return MAX_SCALE;
    }
    return fitScale(this.#gaps, Math.max(1, this.height - 2 * MARGIN_PX), this.compress, closest);
  }

  #rebuild(): void {
    // The whole of many rungs is an overview, in which no burst can have room.
    this.map = new TimeMap(this.#times, this.scale, this.compress, this.whole && !this.#few ? undefined : this.#room, this.map);
  }

  get #lowest(): number {
    return Math.max(-MARGIN_PX, this.map.height + MARGIN_PX - this.height);
  }

  #clamp(): void {
    this.top = Math.min(this.#lowest, Math.max(-MARGIN_PX, this.top));
  }
}
