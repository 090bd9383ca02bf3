import { figures, lanes } from './compare.words.en';

const n = (count: number): string => count.toLocaleString('en');
const many = (count: number, one: string, more: string): string => `${n(count)} ${count === 1 ? one : more}`;

/** What the comparison says, in English; the other languages have the same shape. */
export const compare = {
  title: 'Socket versus HTTP, measured',
  intro:
    'One source of events reaches this page by four ways at the same time: asking again and again, asking and waiting, one answer that never ends, and a socket. All four go through this server’s ordinary doors, use this browser’s ordinary means and carry the same events, so what differs is the way alone.',
  lanes,
  figures,
  settings: {
    title: 'Settings',
    source: 'Source of events',
    ticker: 'A ticker of its own',
    socket: (id: string, target: string) => `${id} · ${target}`,
    sourceHint: 'A socket that is open already has its own rate and sizes. When its peer sent is not known, so delays count from the moment this server read it.',
    rate: 'Messages a second',
    payload: 'Bytes a message',
    arrivals: 'They come',
    poisson: 'at random',
    regular: 'evenly',
    seconds: 'Seconds',
    poll: 'Seconds between polls',
    websocket: 'WebSocket carries',
    text: 'the same JSON',
    binary: 'binary batches',
    range: (min: string, max: string) => `from ${min} to ${max}`,
    rangeWhole: (min: string, max: string) => `a whole number from ${min} to ${max}`,
    product: (most: string) => `rate × bytes is at most ${most} a second`,
    linked: 'A link filled these in. Nothing runs until you press Start.',
    start: 'Start',
    stop: 'Stop',
    copyLink: 'Copy a link to these settings',
  },
  phases: {
    none: 'Nothing has been measured yet.',
    preparing: 'Starting the source…',
    connecting: 'Connecting four lanes…',
    running: (seconds: string, all: string) => `Running: ${seconds} of ${all} s`,
    finishing: 'Reading the last figures…',
  },
  endings: {
    whole: 'Finished: every lane ran to the end.',
    stopped: 'Stopped before its time. What was measured until then is below, and is marked incomplete.',
    died: 'The source ended before its time. What was measured until then is below, and is marked incomplete.',
    late: 'A lane was not ready, or not done, in time. What was measured is below, and is marked incomplete.',
    broke: 'A lane broke. What was measured is below, and is marked incomplete.',
    failed: (why: string) => `It could not be carried through: ${why}`,
  },
  errors: { not_accepted: 'the ticker did not accept the connection', gone: 'that socket is not open (any more)' },
  sent: (messages: number, seconds: string) => `${many(messages, 'message', 'messages')} in ${seconds} s`,
  clocks: (ms: string) => `clocks of server and page agree to ±${ms} ms`,
  warn: {
    hidden: (seconds: string) => `This tab was hidden for ${seconds} s. Browsers slow the timers of hidden tabs, so what came meanwhile is in no delay.`,
    held: (lane: string) => `The browser kept requests back (${lane}): it opens only six connections to one host, for all its tabs together. What came meanwhile is in no delay.`,
    others: (count: number) => `${many(count, 'other tab', 'other tabs')} of this browser compare at the same time. All tabs share six connections to this host, so they starve each other: close the others for clean figures.`,
    notTimed: (count: number) => `${many(count, 'message', 'messages')} not timed`,
    broke: (lane: string, why: string) => `${lane} broke: ${why}`,
  },
  table: {
    title: 'What it took, and what it brought',
    figure: 'Figure',
    predicted: (value: string) => `predicted ${value}`,
    atMost: (value: string) => `predicted at most ${value}`,
    agrees: 'agrees',
    differs: 'differs',
    none: '–',
    few: (least: number) => `fewer than ${n(least)} samples`,
    live: 'Delays so far are those of the last messages; the final table is of all of them.',
    complete: 'every byte, in order',
    incomplete: (missing: number) => `${n(missing)} missing`,
    broken: 'not in order',
    split: (body: string, rest: string) => `${body} content, ${rest} headers and framing`,
    perEvent: (bytes: string) => `${bytes} B`,
    updown: (up: string, down: string) => `${up} ↑ ${down} ↓`,
    scroll: 'The table; it can be scrolled sideways',
  },
};

/** The shape every language has. */
export type CompareMessages = typeof compare;
