import { describe, expect, it } from 'vitest';
import { fastIdle, LANES, settingsOf, setups, type Wanted } from './heartbeat';
import { typed } from './range';

const wanted: Wanted = { idle: '5', silence: '15', watch: '10', userTimeout: '3', withUserTimeout: false };

describe('typed', () => {
  it.each(['', ' ', 'five', '1.5', '1e1', '٣', '0x10', '99999999999999999999'])('takes %j for no number', (text) => {
    expect(typed(text, { min: 1, max: 60 })).toEqual({ ok: false, code: 'number', range: { min: 1, max: 60 } });
  });

  it.each(['0', '-1', '61'])('refuses %j with the range', (text) => {
    expect(typed(text, { min: 1, max: 60 })).toEqual({ ok: false, code: 'range', range: { min: 1, max: 60 } });
  });

  it.each([['1', 1], [' 60 ', 60], ['007', 7]] as const)('takes %j', (text, value) => {
    expect(typed(text, { min: 1, max: 60 })).toEqual({ ok: true, value });
  });
});

describe('the settings of a run', () => {
  it('are there when every field is right', () => {
    expect(settingsOf(wanted).settings).toEqual({ idle: 5, silence: 15, watch: 10, userTimeout: undefined });
    expect(settingsOf({ ...wanted, withUserTimeout: true }).settings?.userTimeout).toBe(3);
  });

  it('are not there for a silence that the middlebox sits out', () => {
    const { fields, settings } = settingsOf({ ...wanted, silence: '5' });
    expect(settings).toBeUndefined();
    expect(fields.silence).toEqual({ ok: false, code: 'range', range: { min: 6, max: 300 } });
  });

  it('do not care about a user timeout that is switched off', () => {
    expect(settingsOf({ ...wanted, userTimeout: 'x' }).settings).toBeDefined();
    expect(settingsOf({ ...wanted, userTimeout: 'x', withUserTimeout: true }).settings).toBeUndefined();
  });
});

describe('the four connections', () => {
  const options = (more: Partial<Wanted> = {}) => new Map(setups(settingsOf({ ...wanted, ...more }).settings!).map((setup) => [setup.id, setup]));

  it('differ only in what keeps them alive', () => {
    const four = options();
    expect([...four.keys()]).toEqual(LANES);
    expect(four.get('nothing')).toEqual({ id: 'nothing', options: {}, everyMs: undefined });
    expect(four.get('app')).toEqual({ id: 'app', options: {}, everyMs: 2500 });
  });

  it('have one keepalive that comes too late and one that comes in time', () => {
    for (const idle of [2, 3, 5, 60]) {
      const four = options({ idle: String(idle), silence: '300' });
      expect(four.get('slow')!.options.keepalive_idle_s).toBeGreaterThan(idle);
      expect(four.get('fast')!.options.keepalive_idle_s).toBeLessThan(idle);
    }
    expect(fastIdle(1)).toBe(1);
  });

  it('all have the user timeout when it is switched on', () => {
    for (const { options: set } of options({ withUserTimeout: true }).values()) expect(set.user_timeout_ms).toBe(3000);
  });
});
