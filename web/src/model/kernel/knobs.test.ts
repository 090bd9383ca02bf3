import { describe, expect, it } from 'vitest';
import { events, socket } from '../fixtures';
import { Grants, inRange, isOn, openable } from './knobs';

describe('the options', () => {
  it('are those a socket can be opened with', () => {
    expect(openable('tcp')).toEqual(expect.arrayContaining(['cork', 'quickack', 'maxseg', 'reading']));
    expect(openable('tcp')).not.toContain('backlog');
    expect(openable('tcp-listen')).toEqual(expect.arrayContaining(['backlog', 'accepting', 'reuse_addr', 'nodelay']));
    expect(openable('udp-bind')).not.toContain('cork');
  });

  it('have the ranges of the contract', () => {
    expect([inRange('maxseg', 87), inRange('maxseg', 88), inRange('maxseg', 32_768)]).toEqual([false, true, false]);
    expect(inRange('send_buffer', 1)).toBe(true);
  });

  it('are on where nobody said otherwise, if that is their default', () => {
    expect([isOn(socket(), 'reading'), isOn(socket(), 'cork'), isOn(socket({ options: { accepting: false } }), 'accepting')]).toEqual([true, false, false]);
    expect([isOn(socket(), 'reuse_addr'), isOn(socket({ role: 'listener' }), 'reuse_addr')]).toEqual([false, true]);
  });

  it('remember what the kernel granted last, of their own socket', () => {
    const grants = new Grants('s1');
    for (const event of events(1, [{ type: 'option_set', option: 'send_buffer', asked: 4096, granted: 8192 }, { type: 'option_set', option: 'send_buffer', asked: 1, granted: 4608 }, { type: 'option_set', option: 'cork', asked: 1, granted: 1, socket: 's2' }])) grants.add(event);
    expect([...grants.all]).toEqual([['send_buffer', { asked: 1, granted: 4608 }]]);
  });
});
