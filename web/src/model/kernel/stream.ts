import type { Event, SegmentMark, Seq, SocketId } from '../../wire/generated';

/** Pieces kept of one ruler; beyond it the oldest go. */
export const PIECES_KEPT = 200_000;

/** The way bytes go: `out` from our end to the peer's. */
export type Way = 'out' | 'in';

/** A stretch of the stream that one call wrote, one frame carried or one call returned; `to` is one past its last byte. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly seq: Seq;
  readonly atUs: number;
}

/** A piece as the wire carried it. */
export interface Cut extends Piece {
  /** How many segments of at most `mss` bytes it stands for. */
  readonly pieces: number;
  readonly mss: number | undefined;
  readonly marks: readonly SegmentMark[];
}

/** Pieces in the order of their first byte. */
export class Ruler<P extends Piece = Piece> {
  pieces: P[] = [];
  /** Pieces that went because there were too many. */
  left = 0;
  /** The furthest end among the pieces up to each: what is in view is found by it, overlaps or not. */
  #reach: number[] = [];

  /** Takes a piece in; mostly it is the last. */
  add(piece: P): void {
    const { pieces } = this;
    let at = pieces.length;
    while (at > 0 && pieces[at - 1]!.from > piece.from) at -= 1;
    if (at === pieces.length) {
      pieces.push(piece);
      this.#reach.push(Math.max(this.#reach.at(-1) ?? 0, piece.to));
    } else {
      pieces.splice(at, 0, piece);
      this.#reach.length = at;
      for (let i = at; i < pieces.length; i += 1) this.#reach.push(Math.max(this.#reach[i - 1] ?? 0, pieces[i]!.to));
    }
    if (pieces.length > PIECES_KEPT * 1.125) {
      const over = pieces.length - PIECES_KEPT;
      this.left += over;
      this.pieces = pieces.slice(over);
      this.#reach = this.#reach.slice(over);
    }
  }

  /** One past the last byte of any piece. */
  get end(): number {
    return this.#reach.at(-1) ?? 0;
  }

  /** The index of the first piece that reaches beyond a place. */
  after(place: number): number {
    return lower(this.#reach, (reach) => reach > place);
  }

  /** The index of the first piece that begins at a place or later. */
  beginning(place: number): number {
    return lower(this.pieces, (piece) => piece.from >= place);
  }
}

function lower<T>(list: readonly T[], met: (value: T) => boolean): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (met(list[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What is known of one direction of a stream. */
export class Direction {
  readonly written = new Ruler();
  readonly wire = new Ruler<Cut>();
  readonly read = new Ruler();

  /** One past the last byte anybody spoke of. */
  get end(): number {
    return Math.max(this.written.end, this.wire.end, this.read.end);
  }

  /** The first byte anything is known of. */
  get start(): number {
    const firsts = [this.written, this.wire, this.read].map(({ pieces }) => pieces[0]?.from).filter((from) => from !== undefined);
    return firsts.length === 0 ? 0 : Math.min(...firsts);
  }
}

/** Both directions of a connection, from the events of our socket and, where it is ours too, the one at the other end. */
export class Streams {
  readonly out = new Direction();
  readonly in = new Direction();
  readonly #socket: SocketId;

  constructor(socket: SocketId) {
    this.#socket = socket;
  }

  /** Takes an event in. */
  add(event: Event): void {
    if ((event.type !== 'sent' && event.type !== 'received' && event.type !== 'segment') || event.offset === undefined || event.len === 0) return;
    const piece: Piece = { from: event.offset, to: event.offset + event.len, seq: event.seq, atUs: event.t_us };
    const ours = event.socket === this.#socket;
    switch (event.type) {
      case 'sent':
        (ours ? this.out : this.in).written.add(piece);
        break;
      case 'received':
        (ours ? this.in : this.out).read.add(piece);
        break;
      case 'segment': {
        const outwards = (event.sender === 'local') === ours;
        (outwards ? this.out : this.in).wire.add({ ...piece, pieces: event.pieces ?? 1, mss: event.mss, marks: event.marks ?? [] });
        break;
      }
    }
  }
}

/** Pieces narrower than this are drawn as one, in pixels. */
const LEAST_PX = 3;

/** What is drawn of a ruler: one piece, or several too narrow to tell apart. */
export interface Block {
  readonly x: number;
  readonly width: number;
  /** The index of the first piece, and how many there are. */
  readonly first: number;
  readonly count: number;
  readonly from: number;
  readonly to: number;
}

/** The blocks of a ruler from a place on: never more than there is room for, however many pieces there are. */
export function blocks(ruler: Ruler, from: number, bytesPerPixel: number, width: number): Block[] {
  const found: Block[] = [];
  const { pieces } = ruler;
  const end = from + width * bytesPerPixel;
  for (let i = ruler.after(from); i < pieces.length && pieces[i]!.from < end; ) {
    const first = pieces[i]!;
    let next = i + 1;
    let { to } = first;
    if ((to - first.from) / bytesPerPixel < LEAST_PX) {
      next = Math.max(next, ruler.beginning(first.from + LEAST_PX * bytesPerPixel));
      to = Math.max(to, pieces[next - 1]!.to);
    }
    found.push({ x: (first.from - from) / bytesPerPixel, width: Math.max(1, (to - first.from) / bytesPerPixel), first: i, count: next - i, from: first.from, to });
    i = next;
  }
  return found;
}
