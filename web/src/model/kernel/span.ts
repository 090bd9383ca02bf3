/** The least that fills the rulers, in bytes. */
export const LEAST_BYTES = 8;

/** The part of a stream that is in view; as long as nobody moved it, all of it, however it grows. */
export class Span {
  readonly from: number;
  readonly length: number;
  readonly whole: boolean;

  constructor(from = 0, length = 0, whole = true) {
    this.from = from;
    this.length = length;
    this.whole = whole;
  }

  /** This span, kept inside what there is. */
  within(start: number, end: number): Span {
    const all = Math.max(LEAST_BYTES, end - start);
    if (this.whole) return new Span(start, all, true);
    const length = Math.min(all, Math.max(LEAST_BYTES, this.length));
    return new Span(Math.max(start, Math.min(this.from, start + all - length)), length, false);
  }

  /** Moved by so many bytes. */
  pan(by: number): Span {
    return new Span(this.from + by, this.length, false);
  }

  /** Moved to begin here. */
  to(from: number): Span {
    return new Span(from, this.length, false);
  }

  /** More or less of the stream around a place, given as a share of the width. */
  zoom(factor: number, at: number): Span {
    const length = Math.max(LEAST_BYTES, this.length * factor);
    return new Span(this.from + (this.length - length) * at, length, false);
  }
}
