import { describe, expect, it } from 'vitest';
import type { Socket } from '../wire/generated';
import { ApiError } from './api';
import { Belongings, type Ends } from './belongings';

/** A server that is told what to end; `asked` is what it heard, in order. */
class Fake implements Ends {
  epoch = 'e1';
  /** The epoch the server really has: the page may not have heard of it yet. */
  real = 'e1';
  readonly asked: string[] = [];
  readonly farewells: string[] = [];
  list: string[] = [];
  fails: (path: string) => Error | undefined = () => undefined;
  during: (path: string) => void = () => undefined;

  async tell(method: string, rest: string): Promise<void> {
    await Promise.resolve();
    this.asked.push(`${method} ${rest}`);
    this.during(rest);
    const said = new URLSearchParams(rest.split('?')[1]).get('epoch');
    if (said !== this.real) throw new ApiError(409, { code: 'wrong_epoch' } as never, '');
    const error = this.fails(rest);
    if (error !== undefined) throw error;
  }

  farewell(rest: string): void {
    this.farewells.push(rest);
  }

  sockets(): Promise<{ epoch: string; sockets: Socket[] }> {
    return Promise.resolve({ epoch: this.real, sockets: this.list.map((id) => ({ id }) as Socket) });
  }
}

describe('what was started', () => {
  it('is ended, the last first, and a closed socket is taken from the list', async () => {
    const server = new Fake();
    const belongings = new Belongings(server);
    for (const path of ['sockets/s1?children=true', 'sockets/s2', 'meters/m1']) belongings.add(path);
    server.list = ['s1'];
    expect(belongings.any).toBe(true);
    expect(await belongings.endAll()).toEqual([]);
    expect(server.asked).toEqual(['DELETE meters/m1?epoch=e1', 'DELETE sockets/s2?epoch=e1', 'DELETE sockets/s1?children=true&epoch=e1', 'DELETE sockets/s1?epoch=e1']);
    expect(belongings.any).toBe(false);
  });

  it('stays in the list where its story matters, and is not touched once it has ended', async () => {
    const server = new Fake();
    const belongings = new Belongings(server, (socket) => socket === 's2');
    for (const path of ['practice/s1', 'sockets/s2', 'sockets/s3']) belongings.add(path);
    server.list = ['s1', 's2', 's3'];
    expect(await belongings.endAll()).toEqual([]);
    expect(server.asked).toEqual(['DELETE sockets/s3?epoch=e1', 'DELETE practice/s1?epoch=e1']);
  });

  it('is nobody’s after a restart of the server, also one that this page has not heard of', async () => {
    const server = new Fake();
    const belongings = new Belongings(server);
    belongings.add('sockets/s3');
    server.real = 'e2';
    server.list = ['s3'];
    expect(await belongings.endAll()).toEqual([]);
    // The server was told whose it is, and refused.
    expect(server.asked).toEqual(['DELETE sockets/s3?epoch=e1']);
    belongings.add('sockets/s4');
    server.epoch = 'e2';
    belongings.add('sockets/s5');
    expect(await belongings.endAll()).toEqual([]);
    expect(server.asked.slice(1)).toEqual(['DELETE sockets/s5?epoch=e2']);
    belongings.add('sockets/s6');
    server.epoch = 'e3';
    belongings.leave();
    expect(server.farewells).toEqual([]);
  });

  it('may be gone already; what else goes wrong is answered, and the others are ended all the same', async () => {
    const server = new Fake();
    const belongings = new Belongings(server);
    for (const path of ['meters/m1', 'crowds/n1', 'meters/m2']) belongings.add(path);
    const broken = new ApiError(0, undefined, 'cut');
    server.fails = (path) => (path.startsWith('meters/m2') ? new ApiError(404, undefined, '') : path.startsWith('crowds') ? broken : undefined);
    expect(await belongings.endAll()).toEqual([broken]);
    expect(server.asked).toHaveLength(3);
  });

  it('is asked for once more when the page is left before its end is known', async () => {
    const server = new Fake();
    const belongings = new Belongings(server);
    belongings.add('meters/m1');
    belongings.add('sockets/s1');
    server.during = () => {
      belongings.leave();
    };
    await belongings.endAll();
    expect(server.farewells).toEqual(['sockets/s1?epoch=e1', 'meters/m1?epoch=e1']);
    expect(belongings.any).toBe(false);
  });
});
