import type { Columns } from '../compare/series';
import type { Direction, Event, SocketId, TcpInfo } from '../../wire/generated';

/** Readings kept of one end; when there are more, every other one of the older half goes. */
export const READINGS_KEPT = 4000;

/** What the kernel said of one end at one time. */
export interface Reading {
  readonly atUs: number;
  readonly info: TcpInfo;
  readonly receiveQueue: number;
  readonly sendQueue: number;
}

/** What both ends' kernels counted. What an end says of itself goes before what the other's observer says of its peer. */
export class Figures {
  readonly #socket: SocketId;
  readonly #own: Record<Direction, Reading[]> = { local: [], peer: [] };
  readonly #told: Record<Direction, Reading[]> = { local: [], peer: [] };

  constructor(socket: SocketId) {
    this.#socket = socket;
  }

  /** Takes an event of the socket, or of the socket at the other end. */
  add(event: Event): void {
    if (event.type !== 'tcp_info') return;
    const here = event.socket === this.#socket;
    const end: Direction = here ? event.end : event.end === 'local' ? 'peer' : 'local';
    const list = (event.end === 'local' ? this.#own : this.#told)[end];
    list.push({ atUs: event.t_us, info: event.info, receiveQueue: event.receive_queue, sendQueue: event.send_queue });
    if (list.length > READINGS_KEPT) thin(list);
  }

  /** The readings of one end, oldest first: ours is `local`. */
  end(which: Direction): readonly Reading[] {
    return this.#own[which].length > 0 ? this.#own[which] : this.#told[which];
  }

  /** The newest reading of one end. */
  last(which: Direction): Reading | undefined {
    return this.end(which).at(-1);
  }
}

function thin(list: Reading[]): void {
  const half = Math.floor(list.length / 2);
  const older = list.slice(0, half).filter((_, i) => i % 2 === 0);
  list.splice(0, half, ...older);
}

/** One line of a chart: of which end, and what is read off. */
export interface Drawn {
  readonly end: Direction;
  readonly value: (reading: Reading) => number | undefined;
}

/** Lines on one axis of seconds since the first reading of either, to `untilUs`; null before the first reading of an end. */
export function columnsOf(figures: Figures, lines: readonly Drawn[], untilUs?: number): Columns {
  const ends = [...new Set(lines.map(({ end }) => end))];
  const times = [...new Set(ends.flatMap((end) => figures.end(end).map(({ atUs }) => atUs)))].sort((a, b) => a - b);
  const from = times[0] ?? 0;
  if (untilUs !== undefined && times.length > 0 && untilUs > times.at(-1)!) times.push(untilUs);
  const place = new Map(times.map((time, i) => [time, i]));
  const columns = lines.map(({ end, value }) => {
    const column = new Array<number | null>(times.length).fill(null);
    for (const reading of figures.end(end)) column[place.get(reading.atUs)!] = value(reading) ?? null;
    return held(column);
  });
  return [times.map((time) => (time - from) / 1e6), ...columns];
}

/** What was read holds until the next reading: the kernel is asked only where something changed. */
function held(column: (number | null)[]): (number | null)[] {
  let last: number | null = null;
  return column.map((value) => (last = value ?? last));
}
