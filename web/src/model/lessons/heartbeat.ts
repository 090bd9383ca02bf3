import type { SocketOptions } from '../../wire/generated';
import { type Range, type Typed, typed } from './range';

/** The four connections, in the order in which they are shown. */
export const LANES = ['nothing', 'slow', 'fast', 'app'] as const;

/** One of the four connections. */
export type LaneId = (typeof LANES)[number];

/** What is typed before a run. */
export interface Wanted {
  readonly idle: string;
  readonly silence: string;
  readonly watch: string;
  readonly userTimeout: string;
  readonly withUserTimeout: boolean;
}

/** What a run is made with. */
export interface Settings {
  /** How long the middlebox remembers a silent connection, in s. */
  readonly idle: number;
  /** How long nobody has anything to say, in s. */
  readonly silence: number;
  /** How long an answer or an error is waited for once everybody has spoken, in s. */
  readonly watch: number;
  /** TCP_USER_TIMEOUT in s; undefined leaves it to the system. */
  readonly userTimeout: number | undefined;
}

/** A setting that is a number. */
export type Field = 'idle' | 'silence' | 'watch' | 'userTimeout';

/** The ranges that do not depend on another setting. */
export const RANGES = {
  idle: { min: 1, max: 60 },
  watch: { min: 1, max: 120 },
  userTimeout: { min: 1, max: 60 },
} as const satisfies Record<string, Range>;

/** The longest silence, in s: nobody watches a line for longer. */
export const MOST_SILENCE = 300;

/** A silence that the middlebox would sit out shows nothing, so it is longer than the memory. */
export function silenceRange(idle: number): Range {
  return { min: idle + 1, max: MOST_SILENCE };
}

/** What was typed, field by field, and the settings when all of it is right. */
export function settingsOf(wanted: Wanted): { readonly fields: Record<Field, Typed>; readonly settings: Settings | undefined } {
  const idle = typed(wanted.idle, RANGES.idle);
  const silence = typed(wanted.silence, silenceRange(idle.ok ? idle.value : RANGES.idle.min));
  const watch = typed(wanted.watch, RANGES.watch);
  const userTimeout = typed(wanted.userTimeout, RANGES.userTimeout);
  const fields = { idle, silence, watch, userTimeout };
  const needsTimeout = wanted.withUserTimeout;
  if (!idle.ok || !silence.ok || !watch.ok || (needsTimeout && !userTimeout.ok)) return { fields, settings: undefined };
  const settings = { idle: idle.value, silence: silence.value, watch: watch.value, userTimeout: needsTimeout && userTimeout.ok ? userTimeout.value : undefined };
  return { fields, settings };
}

/** What distinguishes a connection. */
export interface Setup {
  readonly id: LaneId;
  readonly options: SocketOptions;
  /** How often the page says something on it while it is silent, in ms; undefined for never. */
  readonly everyMs: number | undefined;
}

/** The options of each connection: they differ in what keeps them alive and in nothing else. */
export function setups(settings: Settings): readonly Setup[] {
  const common: SocketOptions = settings.userTimeout === undefined ? {} : { user_timeout_ms: settings.userTimeout * 1000 };
  return LANES.map((id) => ({ id, options: { ...common, ...keepalive(id, settings.idle) }, everyMs: id === 'app' ? settings.idle * 500 : undefined }));
}

function keepalive(id: LaneId, idle: number): SocketOptions {
  if (id === 'slow') return { keepalive: true, keepalive_idle_s: idle * 2, keepalive_interval_s: 1, keepalive_count: 2 };
  if (id === 'fast') return { keepalive: true, keepalive_idle_s: fastIdle(idle), keepalive_interval_s: 1, keepalive_count: 3 };
  return {};
}

/** Half the memory, in whole seconds: the kernel counts no finer, so with a memory of 1 s it is not fast enough. */
export function fastIdle(idle: number): number {
  return Math.max(1, Math.floor(idle / 2));
}
