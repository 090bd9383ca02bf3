import type { Rung, Side } from './rungs';
import { lastIndex, type TimeMap } from './timemap';

/** What went from one end to the other: bytes, the end of them, or the end of everything. */
export type LinkKind = 'bytes' | 'fin' | 'rst';

/**
 * The same bytes at both ends: handed to the kernel by a call on one side, handed over by a call on the other. It is
 * known from stream offsets and says nothing of segments; those are the wire rail's.
 */
export interface Link {
  readonly from: Side;
  readonly kind: LinkKind;
  /** The call that sent, and the call that received. */
  readonly sender: number;
  readonly receiver: number;
  /** Where it leaves and where it arrives. */
  readonly leaves: number;
  readonly arrives: number;
}

/** Links drawn at a time; where calls are denser the view cannot tell more of them apart. */
export const LINKS_DRAWN = 400;

// Two links this close at both ends look like one.
const SAME_PX = 4;

/**
 * The links between two pixels. Only streams have any: a datagram carries no offset, and one that is lost would shift
 * every line after it. `apart` says whether a call can be told from its neighbours: lines between crowds say nothing.
 */
export function links(
  ours: readonly Rung[],
  peer: readonly Rung[],
  map: TimeMap,
  top: number,
  bottom: number,
  apart: (seq: number) => boolean = () => true,
): Link[] {
  const seen = { map, earliest: map.t(top), latest: map.t(bottom), apart };
  const found: Link[] = [];
  for (const [from, senders, receivers] of [
    ['ours', ours, peer],
    ['peer', peer, ours],
  ] as const) {
    for (const link of crossings(from, senders, receivers, seen)) {
      if (found.push(link) >= LINKS_DRAWN) return found;
    }
  }
  return found;
}

interface Seen {
  readonly map: TimeMap;
  readonly earliest: number;
  readonly latest: number;
  readonly apart: (seq: number) => boolean;
}

function* crossings(from: Side, senders: readonly Rung[], receivers: readonly Rung[], seen: Seen): IterableIterator<Link> {
  let read = 0;
  let last: Link | undefined;
  for (const sender of senders) {
    if (sender.kind !== 'sent' || Number.isNaN(sender.offset)) continue;
    if (sender.start > seen.latest) break;
    // Both lists go by offset, so the reads of one send begin where those of the last one ended.
    while (read < receivers.length && !reaches(receivers[read]!, sender.offset)) read += 1;
    for (let i = read; i < receivers.length; i += 1) {
      const receiver = receivers[i]!;
      if (receiver.kind !== 'received') continue;
      if (receiver.offset >= sender.offset + sender.len) break;
      if (!seen.apart(sender.seq) && !seen.apart(receiver.seq)) continue;
      const link = between(from, 'bytes', sender, receiver, seen);
      if (link === undefined || (last !== undefined && near(link, last))) continue;
      last = link;
      yield link;
    }
  }
  const ends = [ending('fin', closing(senders), receivers.find((rung) => rung.kind === 'eof')), ending('rst', ...resets(senders, receivers))];
  for (const end of ends) {
    const link = end === undefined ? undefined : between(from, end.kind, end.sender, end.receiver, seen);
    if (link !== undefined) yield link;
  }
}

/** Whether a read got bytes beyond an offset. */
function reaches(rung: Rung, offset: number): boolean {
  return rung.kind === 'received' && rung.offset + rung.len > offset;
}

function closing(senders: readonly Rung[]): Rung | undefined {
  return senders.find((rung) => rung.kind === 'shutdown') ?? senders.find((rung) => rung.kind === 'closed');
}

function resets(senders: readonly Rung[], receivers: readonly Rung[]): [Rung | undefined, Rung | undefined] {
  return [senders.find((rung) => rung.kind === 'reset' && rung.local), receivers.find((rung) => rung.kind === 'reset' && !rung.local)];
}

function ending(kind: LinkKind, sender: Rung | undefined, receiver: Rung | undefined) {
  if (sender === undefined || receiver === undefined || sender.start > receiver.end) return undefined;
  return { kind, sender, receiver };
}

function between(from: Side, kind: LinkKind, sender: Rung, receiver: Rung, seen: Seen): Link | undefined {
  // A peer can have the bytes before our call returns: they left at some time within it, at the latest when it had them.
  const left = Math.max(sender.start, Math.min(sender.end, receiver.end));
  if (receiver.end < seen.earliest || left > seen.latest) return undefined;
  return { from, kind, sender: sender.seq, receiver: receiver.seq, leaves: seen.map.y(left), arrives: seen.map.y(receiver.end) };
}

function near(a: Link, b: Link): boolean {
  return Math.abs(a.leaves - b.leaves) < SAME_PX && Math.abs(a.arrives - b.arrives) < SAME_PX;
}

/** The rung with a seq, on either side. */
export function rungBySeq(rungs: readonly Rung[], seq: number): number {
  const guess = lastIndex(rungs, (rung) => rung.seq <= seq);
  // Almost always in the order of seq; late facts are the exception.
  return rungs[guess]?.seq === seq ? guess : rungs.findIndex((rung) => rung.seq === seq);
}
