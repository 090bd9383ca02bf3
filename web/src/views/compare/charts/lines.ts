import type { Lane } from '../../../wire/generated';

/** What is drawn as a line of its own: each lane, and the raw socket they are held against. */
export type Line = Lane | 'raw';

/** How a line looks: one of a comparison, or one or two figures of either end of a connection. */
export type Look = Line | 'ours' | 'peer' | 'ours_second' | 'peer_second';

/** The colours of the lines, by the names of the tokens, whose contrast a test holds. */
export const COLOURS: Record<Look, string> = { raw: 'muted', short_poll: 'danger', long_poll: 'sent', sse: 'control', websocket: 'received', ours: 'sent', peer: 'received', ours_second: 'warn', peer_second: 'control' };

/** Lines are told apart without colour too. */
export const DASHES: Record<Look, readonly number[]> = { raw: [2, 3], short_poll: [8, 3], long_poll: [3, 3], sse: [10, 3, 2, 3], websocket: [], ours: [], peer: [8, 3], ours_second: [2, 3], peer_second: [10, 3, 2, 3] };
