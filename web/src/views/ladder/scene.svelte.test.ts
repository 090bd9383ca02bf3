import { flushSync } from 'svelte';
import { describe, expect, it, vi } from 'vitest';
import { decodePage } from '../../model/log/decode';
import { received, sent, testLog, testPage, testSocket, type TestFact } from '../../model/ladder/fixtures';
import type { Socket } from '../../wire/generated';
import { Scene } from './scene.svelte';

const A = '127.0.0.1:4000';
const B = '127.0.0.1:7';
const us = testSocket('s1', { local: A, remote: B });
const them = testSocket('s2', { role: 'accepted', local: B, remote: A });

function sceneOf(facts: TestFact[], socket: Socket = us, others: Socket[] = [them], height = 600) {
  const log = testLog([...facts].sort((a, b) => a.t - b.t));
  const sockets = new Map([socket, ...others].map((one) => [one.id, one]));
  const scene = new Scene();
  scene.resize(900, height);
  scene.follow(socket, sockets, log);
  return { scene, log, sockets };
}

const echo = (count: number): TestFact[] =>
  Array.from({ length: count }, (_, i) => {
    const t = i * 400;
    return [sent(t + 40, 20, 5, i * 5), received(t + 90, 60, 5, i * 5, 's2'), sent(t + 140, 20, 5, i * 5, 's2'), received(t + 200, 150, 5, i * 5)];
  }).flat();

const place = (scene: Scene): string | undefined => scene.active && `${scene.active.side} ${String(scene.active.seq)}`;

describe('Scene', () => {
  it('draws both ends and what went between them', () => {
    const { scene } = sceneOf(echo(3));
    expect(scene.items.filter((item) => item.side === 'ours')).toHaveLength(6);
    expect(scene.items.filter((item) => item.side === 'peer')).toHaveLength(6);
    expect(scene.links).toHaveLength(6);
    expect([scene.bars.ours.length, scene.bars.peer.length]).toEqual([6, 6]);
  });

  it('draws little of ten thousand calls, at any zoom', () => {
    const { scene } = sceneOf(echo(2500));
    expect(scene.count).toBe(10_000);
    for (let i = 0; i < 30; i += 1) {
      expect(scene.items.length).toBeLessThan(160);
      expect(scene.bars.ours.length).toBeLessThan(1500);
      scene.zoom(0.6);
    }
    scene.fit();
    expect(scene.extent.seen).toBe(1);
    expect(scene.items.length).toBeLessThan(160);
  });

  it('draws only what is in sight while somebody zooms, and what lies around it after a pause', () => {
    vi.useFakeTimers();
    try {
      const { scene } = sceneOf(echo(500));
      const reach = (): [number, number] => [Math.min(...scene.items.map((item) => item.label)) - scene.top, Math.max(...scene.items.map((item) => item.label)) - scene.top];
      scene.panTo(0.5);
      const [above, below] = reach();
      expect([above < -50, below > 650]).toEqual([true, true]);
      scene.zoom(1.01);
      expect(scene.zooming).toBe(true);
      expect(reach()[0]).toBeGreaterThan(-50);
      expect(reach()[1]).toBeLessThan(650);
      const inSight = scene.items.filter(({ label }) => label > scene.top && label < scene.top + 600);
      vi.advanceTimersByTime(1000);
      expect(scene.zooming).toBe(false);
      expect([reach()[0] < -50, reach()[1] > 650]).toEqual([true, true]);
      expect(scene.items.filter(({ label }) => label > scene.top && label < scene.top + 600)).toEqual(inSight);
      // Who moves on wants to see where to.
      scene.zoom(1.01);
      scene.pan(10);
      expect(scene.zooming).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it('draws nothing anew while a pan stays within a tile', () => {
    const { scene } = sceneOf(echo(500));
    scene.panTo(0.5);
    const top = scene.top;
    let drawn = 0;
    const stop = $effect.root(() => {
      $effect(() => {
        void [scene.items, scene.bars, scene.links, scene.ticks];
        drawn += 1;
      });
    });
    for (let i = 0; i < 20; i += 1) {
      scene.pan(2);
      flushSync();
    }
    stop();
    expect(scene.top).toBe(top + 40);
    expect(drawn).toBeLessThan(4);
  });

  it('is walked through by rung, from side to side by time, and to the ends', () => {
    const { scene } = sceneOf(echo(3));
    scene.far('first');
    expect(place(scene)).toBe('ours 1');
    scene.step(1);
    expect(place(scene)).toBe('ours 4');
    scene.cross('peer');
    expect(place(scene)).toBe('peer 3');
    scene.step(-1);
    scene.step(-1);
    expect(place(scene)).toBe('peer 2');
    scene.cross('ours');
    expect(place(scene)).toBe('ours 1');
    scene.far('last');
    expect(place(scene)).toBe('ours 12');
    scene.step(1);
    expect(place(scene)).toBe('ours 12');
  });

  it('reaches every rung by walking, groups being one step, and keeps it in sight', () => {
    const { scene } = sceneOf(echo(200));
    scene.far('first');
    let steps = 0;
    for (let last = -1; scene.active !== undefined && scene.active.seq !== last; steps += 1) {
      last = scene.active.seq;
      const item = scene.itemAt(scene.active)!;
      expect(item.label).toBeGreaterThanOrEqual(scene.top);
      expect(item.label).toBeLessThanOrEqual(scene.top + scene.height);
      scene.step(1);
    }
    expect(scene.itemAt(scene.active!)?.to).toBe(scene.rungs!.ours.length);
    expect(steps).toBeGreaterThan(20);
  });

  it('opens a group by looking closer, until every rung has a label', () => {
    const { scene } = sceneOf(echo(500));
    scene.fit();
    const group = scene.items.find((item) => item.side === 'ours' && item.to - item.from > 10)!;
    const first = scene.firstOf(group)!.seq;
    expect(scene.open(group)).toBe(true);
    for (let i = 0; i < 20; i += 1) {
      const item = scene.itemAt({ side: 'ours', seq: first })!;
      if (item.to - item.from === 1) return;
      scene.open(item);
    }
    throw new Error('the group never opened');
  });

  it('does not open what happened in one instant', () => {
    const { scene } = sceneOf(Array.from({ length: 40 }, (_, i): TestFact => ({ type: 'sent', t: 100, took: 0, len: 1, offset: i })));
    const group = scene.items.find((item) => item.to - item.from > 1)!;
    expect(scene.open(group)).toBe(false);
  });

  it('shows an event selected elsewhere, on either side, and none that is not here', () => {
    const { scene } = sceneOf(echo(500));
    expect(scene.show(3)).toBe(true);
    expect(place(scene)).toBe('peer 3');
    expect(scene.items.some((item) => item.side === 'peer' && scene.firstOf(item)?.seq === 3)).toBe(true);
    expect(scene.show(999_999)).toBe(false);
  });

  it('finds the peer once it is there', () => {
    const { scene, log, sockets } = sceneOf(echo(2), us, []);
    expect([scene.peers.length, scene.rungs!.peer.length]).toEqual([0, 0]);
    sockets.set('s2', them);
    scene.follow(us, sockets, log);
    expect([scene.peers.length, scene.rungs!.peer.length]).toEqual([1, 4]);
  });

  it('begins anew with another socket and with another log', () => {
    const { scene, log, sockets } = sceneOf(echo(2));
    scene.far('first');
    scene.follow(them, sockets, log);
    expect([scene.active, scene.rungs!.ours.length]).toEqual([undefined, 4]);
    log.reset('f');
    log.append(decodePage(testPage([sent(5, 1, 1, 0, 's2')], 0, 1, 'f')));
    scene.follow(them, sockets, log);
    expect(scene.rungs!.ours).toHaveLength(1);
  });

  it('lays labels out in two lines where it is narrow', () => {
    const { scene } = sceneOf(echo(3));
    scene.resize(380, 600);
    expect(scene.rails.narrow).toBe(true);
    const ours = scene.items.filter((item) => item.side === 'ours');
    for (let i = 1; i < ours.length; i += 1) expect(ours[i]!.label - ours[i - 1]!.label).toBeGreaterThanOrEqual(34 - 1e-6);
  });

  it('bears a socket that has done nothing', () => {
    const { scene } = sceneOf([], testSocket('s1'), []);
    scene.step(1);
    scene.cross('peer');
    scene.far('last');
    scene.fit();
    expect([scene.count, scene.items.length, scene.pan(10)]).toEqual([0, 0, false]);
  });
});
