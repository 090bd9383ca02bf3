import { describe, expect, it } from 'vitest';
import type { Fact } from '../../wire/generated';
import type { LogEvent } from '../log/log';
import { say } from './call';

const said = (fact: Fact & { took_us?: number }) => say({ seq: 1, t_us: 1, at: '', ...fact } as LogEvent);

describe('say', () => {
  it('names calls as POSIX does', () => {
    expect(said({ type: 'sent', len: 5 })).toEqual({ name: { call: 'send' }, what: '', bytes: 5 });
    expect(said({ type: 'sent', len: 5, to: 'a:1' })).toEqual({ name: { call: 'sendto' }, what: 'a:1', bytes: 5 });
    expect(said({ type: 'received', len: 5, from: 'a:1', truncated: true })).toEqual({ name: { call: 'recvfrom' }, what: 'a:1', bytes: 5, word: 'truncated' });
    expect(said({ type: 'eof', offset: 9 })).toEqual({ name: { call: 'recv' }, what: '', bytes: 0, word: 'fin' });
    expect(said({ type: 'shutdown', how: 'write' })).toEqual({ name: { call: 'shutdown' }, what: 'SHUT_WR' });
    expect(said({ type: 'accepted', child: 's4', remote: 'a:1' })).toEqual({ name: { call: 'accept' }, what: 's4 ← a:1' });
    expect(said({ type: 'option_set', option: 'nodelay', asked: 1, granted: 1 })).toEqual({ name: { call: 'setsockopt' }, what: 'nodelay = 1' });
  });

  it('tells a connection we made from one that was made to us', () => {
    expect(said({ type: 'connected', took_us: 40, local: 'a:1', remote: 'b:2' }).name).toEqual({ call: 'connect' });
    expect(said({ type: 'connected', local: 'a:1', remote: 'b:2' }).name).toEqual({ word: 'connected' });
  });

  it('gives a failure its call and its errno', () => {
    expect(said({ type: 'failed', code: 'refused', phase: 'connect', errno: 'ECONNREFUSED', remote: 'a:1', fatal: true })).toEqual({
      name: { call: 'connect' },
      what: 'ECONNREFUSED · a:1',
      errno: 'ECONNREFUSED',
      word: 'failed',
    });
    expect(said({ type: 'reset', side: 'peer', phase: 'receive', errno: 'ECONNRESET' })).toMatchObject({ name: { call: 'recv' }, errno: 'ECONNRESET', word: 'reset_by_peer' });
    expect(said({ type: 'reset', side: 'local' })).toMatchObject({ name: { call: 'close' }, word: 'reset_by_us' });
    expect(said({ type: 'failed', code: 'resolve_timed_out', phase: 'resolve', fatal: true })).toMatchObject({ name: { call: 'getaddrinfo' }, what: 'resolve_timed_out' });
  });

  it('names the option that could not be set', () => {
    expect(said({ type: 'failed', code: 'os', phase: 'option', errno: 'EINVAL', option: 'recv_buffer', fatal: false })).toMatchObject({ name: { call: 'setsockopt' }, what: 'EINVAL · recv_buffer' });
  });

  it('says what closing waits for, and what a close left behind', () => {
    const counters = { sent_bytes: 0, received_bytes: 0, sent_events: 0, received_events: 0, dropped: 0 };
    expect(said({ type: 'closing', queued_bytes: 70 })).toMatchObject({ name: { word: 'closing' }, bytes: 70, word: 'waiting' });
    expect(said({ type: 'closed', reason: 'closed', counters, unsent_bytes: 0, unread_bytes: 0, took_us: 4 })).toEqual({ name: { call: 'close' }, what: '' });
    expect(said({ type: 'closed', reason: 'closed', counters, unsent_bytes: 0, unread_bytes: 9, took_us: 4 })).toMatchObject({ bytes: 9, word: 'unread' });
    expect(said({ type: 'closed', reason: 'cancelled', counters, unsent_bytes: 0, unread_bytes: 0 })).toMatchObject({ name: { word: 'closed' } });
  });

  it('ends an attempt that was given up as the call it was', () => {
    expect(said({ type: 'note', code: 'attempt_abandoned', params: { remote: '[::1]:80' }, took_us: 300 })).toEqual({ name: { call: 'connect' }, what: '[::1]:80', word: 'abandoned' });
    expect(said({ type: 'note', code: 'accepted_unserved', params: { remote: 'a:1' } })).toEqual({ name: { call: 'close' }, what: 'a:1', word: 'unserved' });
    expect(said({ type: 'note', code: 'kernel_buffer_full' })).toMatchObject({ name: { word: 'note' }, what: 'kernel_buffer_full' });
  });

  it('says how much a bridge passed on, each way that anything went', () => {
    expect(said({ type: 'relayed', sent_bytes: 12, sent_calls: 2, received_bytes: 345, received_calls: 1 })).toEqual({ name: { word: 'relayed' }, what: '↑ 12 B  ↓ 345 B', bytes: 357 });
    expect(said({ type: 'relayed', sent_bytes: 0, sent_calls: 0, received_bytes: 345, received_calls: 0 }).what).toBe('↓ 345 B');
  });

  it('counts attempts where there are several', () => {
    expect(said({ type: 'connecting', remote: 'a:1', attempt: 2, of: 3 }).what).toBe('→ a:1 (2/3)');
    expect(said({ type: 'connecting', remote: 'a:1', attempt: 1, of: 1 }).what).toBe('→ a:1');
  });

  it('shows every character of what comes from elsewhere', () => {
    expect(said({ type: 'resolved', name: 'a\u202eb\n', addresses: ['\x1b'] }).what).toBe(String.raw`a\u{202e}b\n → \x1b`);
    expect(said({ type: 'te\nleported' } as unknown as Fact).what).toBe(String.raw`te\nleported`);
  });
});
