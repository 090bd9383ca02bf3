/** Payload bytes the page keeps; beyond it the oldest go, and are asked of the server again when somebody looks. */
export const PAYLOAD_BYTES = 48 * 1024 * 1024;

/** How much one piece of the arena holds, and so how much is given up at a time. */
export const PIECE_BYTES = 1024 * 1024;

/** Where bytes were put: the piece, and the place in it. */
export interface Place {
  readonly piece: number;
  readonly start: number;
}

/**
 * Payload bytes in a few large pieces instead of one buffer an event, given up oldest first when the budget is spent.
 * What was given up is not lost: the server still has it.
 */
export class Arena {
  readonly #budget: number;
  readonly #pieceBytes: number;
  #pieces: Uint8Array[] = [];
  #oldest = 0;
  #used = 0;
  #bytes = 0;

  constructor(budget = PAYLOAD_BYTES, pieceBytes = PIECE_BYTES) {
    this.#budget = budget;
    this.#pieceBytes = pieceBytes;
  }

  /** Bytes allocated now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Copies `source` in as one stretch. */
  put(source: Uint8Array): Place {
    let piece = this.#pieces.at(-1);
    if (piece === undefined || this.#used + source.length > piece.length) {
      piece = new Uint8Array(Math.max(this.#pieceBytes, source.length));
      this.#pieces.push(piece);
      this.#bytes += piece.length;
      this.#used = 0;
      while (this.#bytes > this.#budget && this.#pieces.length > 1) {
        this.#bytes -= this.#pieces.shift()!.length;
        this.#oldest += 1;
      }
    }
    const start = this.#used;
    piece.set(source, start);
    this.#used += source.length;
    return { piece: this.#oldest + this.#pieces.length - 1, start };
  }

  /** The bytes at a place, as a view; undefined once they were given up. */
  view(piece: number, start: number, size: number): Uint8Array | undefined {
    return this.#pieces[piece - this.#oldest]?.subarray(start, start + size);
  }

  /** Whether the bytes of a piece are still here. */
  holds(piece: number): boolean {
    return piece >= this.#oldest;
  }
}
