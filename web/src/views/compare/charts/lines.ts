import type { Lane } from '../../../wire/generated';

/** What is drawn as a line of its own: each lane, and the raw socket they are held against. */
export type Line = Lane | 'raw';

/** The colours of the lines, by the names of the tokens, whose contrast a test holds. */
export const COLOURS: Record<Line, string> = { raw: 'muted', short_poll: 'danger', long_poll: 'sent', sse: 'control', websocket: 'received' };

/** Lines are told apart without colour too. */
export const DASHES: Record<Line, readonly number[]> = { raw: [2, 3], short_poll: [8, 3], long_poll: [3, 3], sse: [10, 3, 2, 3], websocket: [] };
