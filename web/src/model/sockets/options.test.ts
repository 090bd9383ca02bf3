import { describe, expect, it } from 'vitest';
import { socket } from '../fixtures';
import { optionValue, settable } from './options';

describe('settable', () => {
  it('offers what such a socket can have', () => {
    expect(settable(socket())).toContain('nodelay');
    expect(settable(socket({ role: 'listener', state: 'listening' }))).toContain('keepalive');
    expect(settable(socket({ role: 'bound' }))).toEqual(['read_size', 'recv_buffer', 'send_buffer', 'broadcast']);
  });

  it('offers nothing for what cannot be changed', () => {
    for (const state of ['opening', 'closed', 'failed'] as const) expect(settable(socket({ state }))).toEqual([]);
    expect(settable(socket({ practice: 'echo' }))).toEqual([]);
    expect(settable(socket({ bridge: 'wsproxy' }))).toEqual([]);
  });
});

describe('optionValue', () => {
  it('reads numbers and switches', () => {
    expect(optionValue('read_size', ' 64 ')).toEqual({ read_size: 64 });
    expect(optionValue('nodelay', 'off')).toEqual({ nodelay: false });
    expect(optionValue('keepalive', 'on')).toEqual({ keepalive: true });
  });

  it('takes nothing else', () => {
    for (const typed of ['', '-1', '1.5', '1e3', '64 KiB', '4294967296', '99999999999']) expect(optionValue('read_size', typed), typed).toBeUndefined();
    expect(optionValue('nodelay', '1')).toBeUndefined();
  });
});
