import { describe, expect, it } from 'vitest';
import { DEFAULTS } from '../../model/compare/settings';
import type { Event, Page } from '../../wire/generated';
import { type Api } from '../api';
import { Belongings } from '../belongings';
import { NoSource, openSource } from './source';

const event = (seq: number, rest: object): Event => ({ seq, t_us: seq * 1000, at: '', socket: 's1', ...rest }) as unknown as Event;

/** A server with a ticker whose log has these events; every answer takes a turn of the loop, as real ones do. */
function server(log: Event[]): { api: Api } {
  const answer = (rest: string): unknown => {
    if (rest === 'practice') return { id: 's1', peer: 'ticker', target: 'tcp://127.0.0.1:1' };
    if (rest === 'sockets') return { id: 's2' };
    const query = new URLSearchParams(rest.split('?')[1]);
    const after = Number(query.get('after') ?? 0);
    const types = query.get('type')!.split(',');
    const events = log.filter(({ seq, type, socket }) => seq > after && types.includes(type) && socket === query.get('socket'));
    return { epoch: 'e', events, next: log.length, head: log.length, gaps: [] } as unknown as Page;
  };
  const api = {
    call: async (_: string, rest: string) => {
      await new Promise((resolve) => setTimeout(resolve));
      return answer(rest);
    },
    sockets: () => Promise.resolve({ head: 9, sockets: [{ id: 's7', closed_seq: 3, counters: { received_bytes: 0 } }] }),
  };
  return { api: api as unknown as Api };
}

const LOG = [
  event(1, { type: 'accepted', child: 's3', remote: 'x' }),
  event(2, { socket: 's3', type: 'sent', len: 40, offset: 0, took_us: 100 }),
  event(3, { socket: 's3', type: 'sent', len: 24, offset: 40, took_us: 100 }),
  event(4, { socket: 's2', type: 'received', len: 64, offset: 0 }),
  event(5, { socket: 's3', type: 'sent', len: 64, offset: 64, took_us: 100 }),
  event(6, { socket: 's2', type: 'received', len: 64, offset: 64 }),
  event(7, { socket: 's2', type: 'eof', offset: 128 }),
];

describe('a ticker as source', () => {
  it('knows when each message was sent: when the call with its first byte was entered', async () => {
    const { api } = server(LOG);
    const source = await openSource(api, DEFAULTS, new Belongings(api), 'x');
    await source.look();
    expect(source.sent).toEqual([1900, 4900]);
    expect(source.read.at).toEqual([4000, 6000]);
    expect(source.ended).toEqual({ how: 'eof', atUs: 7000 });
  });

  it('reads every event once, also when two look at once', async () => {
    const { api } = server(LOG);
    const source = await openSource(api, DEFAULTS, new Belongings(api), 'x');
    await Promise.all([source.look(), source.look(), source.look()]);
    expect(source.sent).toEqual([1900, 4900]);
    expect(source.read.whole).toBe(true);
  });

  it('knows how it was read, with one event from the middle', async () => {
    const { api } = server(LOG);
    const source = await openSource(api, DEFAULTS, new Belongings(api), 'x');
    await source.look();
    expect(await source.reads()).toEqual({ count: 2, bytes: 128, sample: LOG[3], epoch: 'e' });
    const nothing = await openSource(server(LOG.slice(0, 1)).api, DEFAULTS, new Belongings(api), 'x');
    expect(await nothing.reads()).toBeUndefined();
  });

  it('reads nothing more once it is closed', async () => {
    const { api } = server(LOG);
    const source = await openSource(api, DEFAULTS, new Belongings(api), 'x');
    source.close();
    await source.look();
    expect(source.sent).toEqual([]);
  });
});

describe('a socket of somebody else', () => {
  it('is refused when it is closed or not there', async () => {
    const { api } = server([]);
    for (const source of ['s7', 's8'] as const) await expect(openSource(api, { ...DEFAULTS, source }, new Belongings(api), 'x')).rejects.toBeInstanceOf(NoSource);
  });
});

describe('a socket that never rests', () => {
  it('is read up to what there was when the look began', async () => {
    const { api } = server([]);
    let head = 30_000;
    let asked = 0;
    const flood = {
      ...api,
      sockets: () => Promise.resolve({ head: 0, sockets: [{ id: 's7', closed_seq: null, counters: { received_bytes: 0 } }] }),
      call: (_: string, rest: string) => {
        const after = Number(new URLSearchParams(rest.split('?')[1]).get('after'));
        const events = Array.from({ length: 10_000 }, (_, i) => event(after + i + 1, { socket: 's7', type: 'received', len: 1, offset: after + i }));
        // More comes than a page brings.
        head += 20_000;
        asked += 1;
        if (asked > 50) throw new Error('it is read for ever');
        return Promise.resolve({ epoch: 'e', events, next: after + 10_000, head, gaps: [] });
      },
    } as unknown as Api;
    const source = await openSource(flood, { ...DEFAULTS, source: 's7' }, new Belongings(flood), 'x');
    await source.look();
    expect(source.sent).toHaveLength(50_000);
    expect(source.read.whole).toBe(true);
  });
});
