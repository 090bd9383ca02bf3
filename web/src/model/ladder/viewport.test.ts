import { describe, expect, it } from 'vitest';
import { decodePage } from '../log/decode';
import { sent, testLog, testPage } from './fixtures';
import { Rungs } from './rungs';
import { MAX_SCALE, MIN_SCALE } from './timemap';
import { MARGIN_PX, Viewport } from './viewport';

const ROW = 20;

function view(ends: readonly number[], height = 500) {
  const log = testLog(ends.map((t, i) => sent(t, 1, 1, i)));
  const rungs = new Rungs(log, 's1', []);
  rungs.update();
  const port = new Viewport();
  port.resize(height);
  port.data(rungs, ROW);
  const add = (t: number): void => {
    log.append(decodePage(testPage([sent(t, 1, 1, log.head)], log.head)));
    rungs.update();
    port.data(rungs, ROW);
  };
  return { port, add };
}

const every = (step: number, count: number): number[] => Array.from({ length: count }, (_, i) => 1000 + i * step);
const visible = (port: Viewport): boolean => port.map.y(port.map.end) <= port.top + port.height;

describe('Viewport', () => {
  it('shows all of a short conversation', () => {
    const { port } = view(every(100, 8));
    expect(port.extent.seen).toBe(1);
    expect(port.top).toBe(-MARGIN_PX);
  });

  it('shows the end of a long one at a scale one can read, and follows it', () => {
    const { port, add } = view(every(100, 2000));
    expect(port.scale).toBeCloseTo(5, 5);
    expect(visible(port)).toBe(true);
    expect(port.extent.seen).toBeLessThan(0.1);
    for (let t = 201_100; t < 210_000; t += 100) add(t);
    expect(visible(port)).toBe(true);
  });

  it('stays where the reader went, and follows again from the bottom', () => {
    const { port, add } = view(every(100, 2000));
    port.pan(-3000);
    const moment = port.map.t(port.top + 100);
    add(201_100);
    expect(port.map.t(port.top + 100)).toBeCloseTo(moment, 3);
    expect(port.atBottom).toBe(false);
    port.pan(1e9);
    expect(port.atBottom).toBe(true);
    add(300_000);
    expect(visible(port)).toBe(true);
  });

  it('keeps the moment under the pointer when zooming', () => {
    const { port } = view(every(100, 2000));
    port.pan(-5000);
    for (const factor of [2, 2, 0.5, 4, 0.3]) {
      const moment = port.map.t(port.top + 200);
      port.zoom(factor, 200);
      expect(port.map.t(port.top + 200)).toBeCloseTo(moment, 3);
    }
  });

  it('zooms no farther than there is something to see', () => {
    const { port } = view(every(100, 100));
    for (let i = 0; i < 80; i += 1) port.zoom(2, 100);
    expect(port.scale).toBe(MIN_SCALE);
    for (let i = 0; i < 80; i += 1) port.zoom(0.5, 100);
    expect(port.scale).toBe(MAX_SCALE);
  });

  it('fits everything, and goes on doing so as more comes', () => {
    const { port, add } = view(every(100, 2000));
    port.fit();
    expect(port.extent.seen).toBe(1);
    for (let t = 201_100; t < 260_000; t += 1000) add(t);
    expect(port.extent.seen).toBe(1);
    expect(visible(port)).toBe(true);
  });

  it('shows a group as large as fits', () => {
    const { port } = view(every(100, 2000));
    port.fit();
    port.show(50_000, 60_000);
    expect(port.map.y(50_000)).toBeGreaterThan(port.top);
    expect(port.map.y(60_000)).toBeLessThan(port.top + port.height);
    expect(port.map.y(60_000) - port.map.y(50_000)).toBeGreaterThan(300);
  });

  it('brings a rung into sight, moving no more than needed', () => {
    const { port } = view(every(100, 2000));
    port.reveal(1000, 1010);
    expect(port.top).toBe(1000 - MARGIN_PX);
    port.reveal(1100, 1110);
    expect(port.top).toBe(1000 - MARGIN_PX);
    port.reveal(2000, 2010);
    expect(port.top + port.height).toBe(2010 + MARGIN_PX);
  });

  it('says whether there was anywhere to go', () => {
    const { port } = view(every(100, 8));
    expect(port.pan(10)).toBe(false);
    expect(port.auto).toBe(true);
    const long = view(every(100, 2000)).port;
    expect([long.pan(10), long.pan(-10), long.pan(10)]).toEqual([false, true, true]);
  });

  it('keeps the middle when idle stretches change their height', () => {
    const { port } = view([...every(100, 50), ...every(100, 50).map((t) => t + 10e6), ...every(100, 50).map((t) => t + 20e6)]);
    port.pan(-700);
    const moment = port.map.t(port.top + 250);
    port.setCompress(false);
    expect(port.map.breaks).toEqual([]);
    expect(port.map.t(port.top + 250)).toBeCloseTo(moment, 0);
  });

  it('bears a ladder without rungs and a view without height', () => {
    const { port } = view([], 0);
    expect(port.pan(10)).toBe(false);
    port.zoom(2, 0);
    port.fit();
    port.panTo(0.5);
    expect(Number.isFinite(port.top) && Number.isFinite(port.scale)).toBe(true);
  });
});
