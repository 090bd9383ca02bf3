import { describe, expect, it } from 'vitest';
import { cannotSend, composed, SENT_HISTORY, SentHistory } from './compose';
import { socket, utf8 } from '../fixtures';

describe('composed', () => {
  it.each([
    ['héllo', 'text', 'none', utf8('héllo')],
    ['a\\n', 'text', 'none', utf8('a\\n')],
    ['a\\n', 'escapes', 'none', utf8('a\n')],
    ['de ad', 'hex', 'none', new Uint8Array([0xde, 0xad])],
    ['a', 'text', 'lf', utf8('a\n')],
    ['a', 'text', 'crlf', utf8('a\r\n')],
    ['61', 'hex', 'cr', utf8('a\r')],
    ['', 'text', 'crlf', utf8('\r\n')],
  ] as const)('%j as %s with %s', (text, mode, ending, bytes) => {
    expect(composed(text, mode, ending)).toEqual({ ok: true, bytes });
  });

  it.each([
    ['ab\\q', 'escapes', 2],
    ['a', 'hex', 0],
    ['a\ud800', 'text', 1],
  ] as const)('says where %j is wrong as %s', (text, mode, at) => {
    expect(composed(text, mode, 'lf')).toMatchObject({ ok: false, at });
  });
});

describe('cannotSend', () => {
  it('says why a socket does not take bytes', () => {
    expect(cannotSend(undefined, 0)).toBe('none');
    expect(cannotSend(socket(), 0)).toBeUndefined();
    expect(cannotSend(socket({ state: 'half_closed_remote' }), 0)).toBeUndefined();
    expect(cannotSend(socket({ state: 'half_closed_local' }), 0)).toBe('half');
    for (const state of ['open', 'half_closed_local', 'half_closed_remote'] as const) expect(cannotSend(socket({ state, bridge: 'wisp' }), 0)).toBe('bridge');
    expect(cannotSend(socket({ state: 'closed', bridge: 'wisp' }), 0)).toBe('closed');
    expect(cannotSend(socket({ state: 'failed' }), 0)).toBe('failed');
    expect(cannotSend(socket({ state: 'listening', role: 'listener' }), 0)).toBe('listener');
    expect(cannotSend(socket({ state: 'listening', role: 'listener' }), 2)).toBeUndefined();
    expect(cannotSend(socket({ state: 'closed', role: 'listener' }), 1)).toBeUndefined();
  });
});

describe('SentHistory', () => {
  it('walks back and forth, and keeps what was being typed', () => {
    const history = new SentHistory();
    history.push('one');
    history.push('two');
    history.push('two');
    expect(history.walk(-1, 'draft')).toBe('two');
    expect(history.walk(-1, 'two')).toBe('one');
    expect(history.walk(-1, 'one')).toBeUndefined();
    expect(history.walk(1, 'one')).toBe('two');
    expect(history.walk(1, 'two')).toBe('draft');
    expect(history.walk(1, 'draft')).toBeUndefined();
  });

  it('is bounded', () => {
    const history = new SentHistory();
    for (let i = 0; i < SENT_HISTORY + 10; i += 1) history.push(String(i));
    let steps = 0;
    while (history.walk(-1, '') !== undefined) steps += 1;
    expect(steps).toBe(SENT_HISTORY);
  });
});
