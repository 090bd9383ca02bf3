import type { Settings } from './settings';

/** How messages come: independently of each other, at even intervals, or as somebody else's peer likes. */
export type Arrival = 'poisson' | 'regular' | 'unknown';

/** What arithmetic needs to know of a run. */
export interface Premises {
  /** Messages a second: as set, or as seen where the source is somebody else's. */
  readonly rate: number;
  /** Bytes of a message on average. */
  readonly payload: number;
  /** Seconds between two short polls. */
  readonly poll: number;
  readonly arrivals: Arrival;
  /** How long it ran. */
  readonly seconds: number;
  /** Bytes a TCP segment takes on the way from the server. */
  readonly segment: number;
}

/** The same for one lane. */
export interface LanePremises extends Premises {
  /** Messages the lane brought. */
  readonly messages: number;
}

/** How long TCP's segments are on this machine's loopback, and on an Ethernet: the MTU less headers of IP and TCP with timestamps. */
export function segmentTo(host: string): number {
  return /^(?:127\.|localhost$|\[::1\]$)/u.test(host) ? 65_483 : 1448;
}

/** What a run that lasted so long, sent so many messages of so many bytes together, is reckoned with. */
export function premisesOf({ source, rate, payload, poll, regular }: Settings, seconds: number, sent: number, bytes: number, host: string): Premises {
  const rest = { poll, seconds, segment: segmentTo(host) };
  if (source === 'ticker') return { rate, payload, arrivals: regular ? 'regular' : 'poisson', ...rest };
  // Somebody else's has neither rate nor size nor law of its own that this page knows: only what was seen.
  return { rate: sent / Math.max(seconds, 1), payload: bytes / Math.max(sent, 1), arrivals: 'unknown', ...rest };
}
