import type { TcpState } from '../../wire/generated';

/** The eleven states of a TCP connection (RFC 9293 §3.3.2), from its beginning to its end. */
export const STATES: readonly TcpState[] = ['CLOSED', 'LISTEN', 'SYN_SENT', 'SYN_RECEIVED', 'ESTABLISHED', 'FIN_WAIT_1', 'FIN_WAIT_2', 'CLOSING', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT'];

/** What leads from one state to another: a call of the program, a segment that arrives, or a timer. */
export type By = 'call' | 'segment' | 'timer';

/** Why a state is left for another; the sentence is the page's. */
export type Cause =
  | 'listen'
  | 'connect'
  | 'syn_arrives'
  | 'both_syn'
  | 'syn_ack_arrives'
  | 'ack_arrives'
  | 'close'
  | 'fin_arrives'
  | 'fin_acked'
  | 'fin_and_ack'
  | 'wait_over'
  | 'abandoned';

/** A way between two states, and how it is drawn. */
export interface Edge {
  readonly from: TcpState;
  readonly to: TcpState;
  readonly by: By;
  readonly cause: Cause;
  /** What triggers it, and after the stroke what is sent: the same in every language. */
  readonly label: string;
  /** The middle of the label, and the line as an SVG path. */
  readonly at: readonly [number, number];
  readonly d: string;
}

/** The drawing's size; a node is drawn around its place. */
export const SIZE = { width: 372, height: 566, nodeWidth: 104, nodeHeight: 34 } as const;

const [LEFT, MIDDLE, RIGHT] = [68, 186, 304];

/** Where each state stands. */
export const PLACES: Readonly<Record<TcpState, readonly [number, number]>> = {
  CLOSED: [MIDDLE, 30],
  LISTEN: [LEFT, 112],
  SYN_SENT: [RIGHT, 112],
  SYN_RECEIVED: [LEFT, 194],
  ESTABLISHED: [MIDDLE, 276],
  FIN_WAIT_1: [LEFT, 358],
  CLOSE_WAIT: [RIGHT, 358],
  FIN_WAIT_2: [LEFT, 446],
  CLOSING: [MIDDLE, 446],
  LAST_ACK: [RIGHT, 446],
  TIME_WAIT: [MIDDLE, 534],
};

/** The border of a node where a line to another point leaves it. */
function border([x, y]: readonly [number, number], [tx, ty]: readonly [number, number]): readonly [number, number] {
  const [dx, dy] = [tx - x, ty - y];
  const scale = Math.min(dx === 0 ? Infinity : SIZE.nodeWidth / 2 / Math.abs(dx), dy === 0 ? Infinity : SIZE.nodeHeight / 2 / Math.abs(dy));
  return [Math.round(x + dx * scale), Math.round(y + dy * scale)];
}

/** A straight line from one node's border to the other's. */
export function straight(from: TcpState, to: TcpState): string {
  const [a, b] = [border(PLACES[from], PLACES[to]), border(PLACES[to], PLACES[from])];
  return `M${a.join(' ')} L${b.join(' ')}`;
}

function edge(from: TcpState, to: TcpState, by: By, cause: Cause, label: string, at: readonly [number, number], d = straight(from, to)): Edge {
  return { from, to, by, cause, label, at, d };
}

/** The ways there are, as in figure 5 of RFC 9293; a RST ends any of them and has no line of its own. */
export const EDGES: readonly Edge[] = [
  edge('CLOSED', 'LISTEN', 'call', 'listen', 'listen()', [108, 70]),
  edge('CLOSED', 'SYN_SENT', 'call', 'connect', 'connect() / SYN', [262, 70]),
  edge('LISTEN', 'SYN_RECEIVED', 'segment', 'syn_arrives', 'SYN / SYN+ACK', [LEFT, 153]),
  edge('SYN_SENT', 'SYN_RECEIVED', 'segment', 'both_syn', 'SYN / SYN+ACK', [196, 149]),
  edge('SYN_SENT', 'ESTABLISHED', 'segment', 'syn_ack_arrives', 'SYN+ACK / ACK', [262, 203]),
  edge('SYN_RECEIVED', 'ESTABLISHED', 'segment', 'ack_arrives', 'ACK', [124, 236]),
  edge('SYN_RECEIVED', 'FIN_WAIT_1', 'call', 'close', 'close() / FIN', [LEFT, 268]),
  edge('ESTABLISHED', 'FIN_WAIT_1', 'call', 'close', 'close() / FIN', [140, 316]),
  edge('ESTABLISHED', 'CLOSE_WAIT', 'segment', 'fin_arrives', 'FIN / ACK', [250, 316]),
  edge('FIN_WAIT_1', 'FIN_WAIT_2', 'segment', 'fin_acked', 'ACK', [LEFT, 402]),
  edge('FIN_WAIT_1', 'CLOSING', 'segment', 'fin_arrives', 'FIN / ACK', [150, 398]),
  edge('FIN_WAIT_1', 'TIME_WAIT', 'segment', 'fin_and_ack', '', [0, 0], straightBetween([107, 375], [165, 517])),
  edge('FIN_WAIT_2', 'TIME_WAIT', 'segment', 'fin_arrives', 'FIN / ACK', [94, 494]),
  edge('CLOSING', 'TIME_WAIT', 'segment', 'fin_acked', 'ACK', [200, 490]),
  edge('CLOSE_WAIT', 'LAST_ACK', 'call', 'close', 'close() / FIN', [RIGHT, 402]),
  edge('LAST_ACK', 'CLOSED', 'segment', 'fin_acked', 'ACK', [300, 21], `M356 446 H364 V30 H238`),
  edge('TIME_WAIT', 'CLOSED', 'timer', 'wait_over', '60 s', [72, 21], `M134 534 H8 V30 H134`),
];

function straightBetween(a: readonly [number, number], b: readonly [number, number]): string {
  return `M${a.join(' ')} L${b.join(' ')}`;
}

const BY_ENDS = new Map(EDGES.map((one) => [`${one.from} ${one.to}`, one]));

/** The way between two states, if there is one. */
export function edgeOf(from: TcpState, to: TcpState): Edge | undefined {
  return BY_ENDS.get(`${from} ${to}`);
}

/** Why an end went from one state to another; undefined where states between were missed. */
export function causeOf(from: TcpState | undefined, to: TcpState | undefined): Cause | undefined {
  if (from === undefined || to === undefined) return undefined;
  const drawn = edgeOf(from, to);
  if (drawn !== undefined) return drawn.cause;
  return to === 'CLOSED' ? 'abandoned' : undefined;
}
