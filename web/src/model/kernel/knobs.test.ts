import { describe, expect, it } from 'vitest';
import { events, socket } from '../fixtures';
import vectors from '../../../../tests/vectors/options.json';
import { FLAGS, type OptionName } from '../sockets/options';
import { Grants, inRange, isOn, openable, rangeOf } from './knobs';

describe('the options', () => {
  // The server's own tests read the same lines.
  it.each(['tcp', 'tcp-listen', 'udp', 'udp-bind'] as const)('are those the server takes to open %s, with its ranges', (scheme) => {
    const lines = vectors.filter(({ opens }) => opens.includes(scheme));
    expect([...openable(scheme)].sort()).toEqual(lines.map(({ option }) => option).sort());
    for (const { option, min, max } of lines) {
      const name = option as OptionName;
      const range = rangeOf(name, scheme.startsWith('udp'));
      expect([name, range]).toEqual([name, min === undefined ? undefined : { min, max }]);
      expect(FLAGS.has(name)).toBe(range === undefined);
    }
  });

  it('are numbers within their range', () => {
    const range = rangeOf('send_buffer', false);
    expect([0, 1, 2 ** 30, 2 ** 30 + 1].map((value) => inRange(range, value))).toEqual([false, true, true, false]);
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
