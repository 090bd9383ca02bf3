import { http } from './lessons.http.en';

/** A number of seconds of a setting. */
const s = (seconds: number): string => `${String(seconds)} s`;

const heartbeat = {
  title: 'Heartbeat',
  lead: 'Firewalls and address translators keep a table of connections and forget those that are silent. Nobody is told. Here is such a middlebox, with four connections through it that differ in one thing only: what keeps them alive.',
  settings: 'Settings of the run',
  fields: {
    idle: { label: 'The middlebox forgets after', hint: 'Real ones: minutes to hours. RFC 5382 asks for at least 2 h 4 min; not all comply.' },
    silence: { label: 'Everybody is silent for', hint: 'Longer than the middlebox remembers, or there is nothing to see.' },
    watch: { label: 'Then wait for an answer', hint: 'How long to watch after all four have asked “still there?”.' },
    userTimeout: { label: 'TCP_USER_TIMEOUT', hint: 'Gives all four a limit for bytes that nobody acknowledges. It also decides when unanswered keepalive probes are enough.' },
  },
  seconds: 's',
  number: 'A whole number is needed.',
  range: (min: number, max: number) => `From ${s(min)} to ${s(max)}.`,
  start: 'Start the four',
  again: 'Run again',
  stop: 'Stop',
  notLive: 'The connection to the server is needed for this.',
  behind: 'The log is still being replayed; a run would come late.',
  socket: (lane: string) => `heartbeat: ${lane}`,
  phases: {
    none: '',
    starting: 'Starting an echo peer, the middlebox and four connections…',
    silent: (left: string) => `Silence. Nobody says anything for another ${left}, except by heartbeat.`,
    asking: (left: string) => `All four asked “still there?”. Watching for another ${left} at most.`,
    done: 'The run is over; its sockets are closed, and the timeline of the instrument has every call.',
    stopped: 'Stopped. What was measured until then stays; the run is incomplete.',
    failed: 'The run broke off. What was measured until then stays; the run is incomplete.',
  },
  faults: {
    restarted: 'The server was restarted, and its sockets are gone.',
    quiet: 'Not every connection had its first echo within ten seconds.',
    lost: 'A connection ended before the silence began.',
  },
  hidden: 'This tab was hidden during the run. Browsers slow down the clocks of hidden tabs, so heartbeats may have come late: that is the browser, not the network.',
  axis: 'Time since the first connection was open',
  lanes: {
    nothing: {
      name: 'nothing',
      says: () => 'Opened as most programs open a socket. TCP says nothing while nobody has anything to say: an idle connection sends no packet at all, so to whatever stands in between it looks abandoned.',
    },
    slow: {
      name: 'keepalive, too slow',
      says: (idle: number, interval: number, count: number) => `SO_KEEPALIVE, first probe after ${s(idle)} of silence. The middlebox has forgotten by then, so the probes keep nothing alive. They still serve: after ${String(count)} unanswered ones, ${s(interval)} apart, the kernel knows. (The system’s default waits two hours.)`,
    },
    fast: {
      name: 'keepalive, in time',
      says: (idle: number) => `SO_KEEPALIVE, first probe after ${s(idle)} of silence, before the middlebox forgets. This end’s kernel asks and the middlebox’s kernel answers: a relay ends TCP, so no probe goes further. No program sends or reads a byte for it, and the far end hears nothing.`,
    },
    app: {
      name: 'heartbeat of the application',
      says: (every: number) => `The program says something small every ${s(every)}, and the echo is the answer. It costs a few bytes, passes through every proxy that hands bytes on as they are, and proves what keepalive cannot: that the program at the other end still works.`,
    },
  },
  before: {
    nothing: 'A socket as most programs open it: nothing is said while there is nothing to say.',
    slow: 'The kernel asks whether the other side is there, but later than the middlebox forgets.',
    fast: 'The same, sooner than the middlebox forgets.',
    app: 'The program itself says something small every so often, and is answered.',
  },
  fastImpossible: 'Keepalive counts in whole seconds. With a memory of 1 s its first probe comes when the middlebox is just forgetting: this one is a race.',
  options: 'Options',
  noOptions: 'no options',
  verdict: {
    waiting: 'Nobody has asked yet.',
    forgottenUnaware: (ago: string) => `Forgotten ${ago} ago, and does not know it.`,
    works: (took: string) => `Still works: the echo came back after ${took}.`,
    asked: (since: string) => `Asked ${since} ago. No answer, no error.`,
    unnoticed: (since: string) => `Has not noticed: ${since} after it asked there is no answer and no error.`,
    ended: (name: string, since: string | undefined, spoken: string | undefined) =>
      `${name}${spoken === undefined ? ', before the question' : ` ${spoken} after it asked`}${since === undefined ? '' : `, ${since} after it was forgotten`}.`,
    names: { failed: 'Failed', reset: 'Reset', eof: 'Ended by the other side', closed: 'Closed' },
  },
  why: {
    nothing: 'TCP keeps sending the same bytes again, ever more seldom. Unless told otherwise Linux gives up after about a quarter of an hour (tcp_retries2); that is from its documentation and not measured here.',
    ended: 'The kernel gave up after the unacknowledged time it was allowed and told the program at its next call.',
    keepalive: 'Its own probes went unanswered. The connection is as lost as the others, but the program knows.',
    userTimeout: (limit: number) => `TCP_USER_TIMEOUT is ${s(limit)}: bytes that nobody acknowledges for so long end the connection. Without it Linux goes on for about a quarter of an hour (by its documentation; not measured here).`,
    works: 'The middlebox saw a packet often enough, so it never forgot it.',
    lost: 'Expected to survive, and did not: a packet came later than the middlebox remembers.',
    worksIdle: 'Not forgotten: something passed in time after all.',
  },
  marks: {
    hello: 'hello, and its echo',
    beat: 'heartbeat, and its echo',
    probe: 'keepalive probe, calculated',
    missed: 'probe nobody answered, calculated',
    forgotten: 'the middlebox forgot it',
    question: 'asked “still there?”',
    answer: 'the echo came back',
    end: 'the program was told that it is over',
  },
  legend: 'What the marks mean',
  story: 'Times in words',
  at: (time: string, mark: string) => `${time}: ${mark}`,
  runs: {
    title: 'Runs so far',
    says: 'Change one thing and run again to see what it changes.',
    settings: 'Settings',
    of: (idle: number, silence: number, userTimeout: number | undefined) => `forgets after ${s(idle)}, silence ${s(silence)}, ${userTimeout === undefined ? 'no TCP_USER_TIMEOUT' : `TCP_USER_TIMEOUT ${s(userTimeout)}`}`,
    works: (took: string) => `works (${took})`,
    unnoticed: (since: string) => `has not noticed after ${since}`,
    ended: (name: string, since: string | undefined) => (since === undefined ? name : `${name} ${since} after it was forgotten`),
    unasked: 'was not asked',
  },
  measured:
    'Times are those of the calls in the log, by the server’s clock. Probes are calculated from the options, since a kernel sends them without a word to any program. The middlebox looks at its table every 50 ms and forgets up to that much late. The heartbeats come from this page, through the server’s WebSocket.',
};

/** What the lessons say, in English; the other languages have the same shape. */
export const lessons = {
  title: 'Lessons',
  choose: 'Which lesson',
  heartbeat,
  http,
};

/** The shape the lessons' words have in every language. */
export type LessonMessages = typeof lessons;
