import { safeLine } from '../bytes/text';
import type { LogEvent } from '../log/log';

/** A word the page has a translation of; names of system calls stay what they are and need none. */
export type Word =
  | 'opening'
  | 'resolved'
  | 'connected'
  | 'denied'
  | 'dropped'
  | 'relayed'
  | 'paused'
  | 'resumed'
  | 'closing'
  | 'closed'
  | 'abandoned'
  | 'unserved'
  | 'waiting'
  | 'unread'
  | 'note'
  | 'fact'
  | 'fin'
  | 'truncated'
  | 'reset_by_peer'
  | 'reset_by_us'
  | 'failed'
  | 'of_read'
  | 'of_send'
  | 'of_accept';

/** What a rung says, in pieces: the view puts them in a row, in the reader's language. */
export interface Saying {
  /** The system call's name, or the word for a fact that is none. */
  readonly name: { readonly call: string } | { readonly word: Word };
  /** What it was about: an address, an option, an errno. Safe to show: every character is visible. */
  readonly what: string;
  /** Bytes it moved. */
  readonly bytes?: number;
  /** What else is to be said of it. */
  readonly word?: Word;
  /** The errno, where it failed; part of `what` already. */
  readonly errno?: string;
}

const PHASE_CALLS: Readonly<Record<string, string>> = {
  resolve: 'getaddrinfo',
  socket: 'socket',
  connect: 'connect',
  bind: 'bind',
  listen: 'listen',
  accept: 'accept',
  send: 'send',
  receive: 'recv',
  shutdown: 'shutdown',
  option: 'setsockopt',
};

/** What an event says on the ladder; `isCall` where it is drawn as a call of its own. */
export function say(event: LogEvent, isCall = event.took_us !== undefined): Saying {
  switch (event.type) {
    case 'opening':
      return fact('opening', event.target);
    case 'resolved':
      return fact('resolved', `${event.name} → ${event.addresses.join(' ')}`);
    case 'connecting':
      return call('connect', `→ ${event.remote}${event.of > 1 ? ` (${String(event.attempt)}/${String(event.of)})` : ''}`);
    case 'connected':
      return isCall ? call('connect', event.remote) : fact('connected', event.remote);
    case 'bound':
      return call('bind', event.local);
    case 'listening':
      return call('listen', event.local);
    case 'accepted':
      return call('accept', `${event.child} ← ${event.remote}`);
    case 'sent':
      return { ...call(event.to === undefined ? 'send' : 'sendto', event.to ?? ''), bytes: event.len };
    case 'received': {
      const said = { ...call(event.from === undefined ? 'recv' : 'recvfrom', event.from ?? ''), bytes: event.len };
      return event.truncated === true ? { ...said, word: 'truncated' } : said;
    }
    case 'eof':
      return { ...call('recv', ''), bytes: 0, word: 'fin' };
    case 'shutdown':
      return call('shutdown', event.how === 'write' ? 'SHUT_WR' : event.how);
    case 'reset':
      return reset(event);
    case 'closing':
      return { ...fact('closing', ''), bytes: event.queued_bytes, word: 'waiting' };
    case 'closed': {
      const said = isCall ? call('close', '') : fact('closed', '');
      return event.unread_bytes > 0 ? { ...said, bytes: event.unread_bytes, word: 'unread' } : said;
    }
    case 'failed':
      return { ...failed(PHASE_CALLS[event.phase] ?? event.phase, event.errno ?? event.code, event.option ?? event.remote), word: 'failed' };
    case 'refused_by_policy':
      return fact('denied', `${event.rule} · ${event.address ?? event.target}`);
    case 'option_set':
      return call('setsockopt', `${event.option} = ${String(event.granted)}`);
    case 'dropped':
      return fact('dropped', String(event.count));
    case 'relayed':
      return { ...fact('relayed', passed(event)), bytes: event.sent_bytes + event.received_bytes };
    case 'paused':
    case 'resumed':
      return { ...fact(event.type, ''), word: event.what === 'read' ? 'of_read' : event.what === 'send' ? 'of_send' : 'of_accept' };
    case 'note':
      return note(event);
    default:
      // A kind from a later server: its own name is all there is to say.
      return fact('fact', (event as { type: string }).type);
  }
}

function call(name: string, what: string): Saying {
  return { name: { call: name }, what: safeLine(what) };
}

function fact(word: Word, what: string): Saying {
  return { name: { word }, what: safeLine(what) };
}

/** How much went each way, where anything did. */
function passed({ sent_bytes: sent, received_bytes: received }: Extract<LogEvent, { type: 'relayed' }>): string {
  return [sent > 0 ? `↑ ${String(sent)} B` : '', received > 0 ? `↓ ${String(received)} B` : ''].filter((way) => way !== '').join('  ');
}

function failed(name: string, errno: string, remote?: string): Saying {
  return { ...call(name, remote === undefined ? errno : `${errno} · ${remote}`), errno: safeLine(errno) };
}

function note(event: Extract<LogEvent, { type: 'note' }>): Saying {
  const remote = event.params?.remote ?? '';
  // The call that was still waiting when another address answered; it is over now, without a result.
  if (event.code === 'attempt_abandoned') return { ...call('connect', remote), word: 'abandoned' };
  if (event.code === 'accepted_unserved') return { ...call('close', remote), word: 'unserved' };
  return fact('note', event.code);
}

function reset(event: Extract<LogEvent, { type: 'reset' }>): Saying {
  // close(2) sent it: because it was asked to, or because bytes lay unread, which `closed` says.
  if (event.side === 'local') return { ...call('close', ''), word: 'reset_by_us' };
  const name = event.phase === undefined ? undefined : PHASE_CALLS[event.phase];
  if (name === undefined) return fact('reset_by_peer', event.errno ?? '');
  return { ...failed(name, event.errno ?? 'ECONNRESET'), word: 'reset_by_peer' };
}
