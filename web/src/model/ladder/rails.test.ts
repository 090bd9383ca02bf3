import { describe, expect, it } from 'vitest';
import { BAR_WIDTH, barLeft, rails } from './rails';

describe('rails', () => {
  it('share any width out from left to right, with nothing over its neighbour', () => {
    for (let width = 300; width < 2000; width += 13) {
      for (const lanes of [1, 2, 4]) {
        for (const peer of [true, false]) {
          const at = rails(width, { ours: lanes, peer: lanes }, peer);
          const edges = [0, at.axis, at.oursLabel.left + at.oursLabel.width, at.oursEdge, at.ours, at.peer, at.peerEdge, at.peerLabel.left, at.peerLabel.left + at.peerLabel.width];
          for (let i = 1; i < edges.length; i += 1) expect(edges[i]! + 1e-9).toBeGreaterThanOrEqual(edges[i - 1]!);
          expect(edges.at(-1)).toBeLessThanOrEqual(width - 10);
        }
      }
    }
  });

  it('leave labels readable at 358 pixels, the width of a phone’s pane', () => {
    const at = rails(358, { ours: 2, peer: 2 }, true);
    expect(at.oursLabel.width).toBeGreaterThan(76);
    expect(at.narrow).toBe(true);
  });

  it('give our labels more room where there is no peer', () => {
    expect(rails(900, { ours: 2, peer: 0 }, false).oursLabel.width).toBeGreaterThan(rails(900, { ours: 2, peer: 2 }, true).oursLabel.width);
  });

  it('keep every lane between the line and the labels', () => {
    const at = rails(900, { ours: 4, peer: 4 }, true);
    for (let lane = 0; lane < 6; lane += 1) {
      const left = barLeft(at, 'ours', lane);
      expect(left).toBeGreaterThanOrEqual(at.oursEdge);
      expect(left + BAR_WIDTH).toBeLessThan(at.ours);
      expect(barLeft(at, 'peer', lane)).toBeGreaterThan(at.peer);
      expect(barLeft(at, 'peer', lane) + BAR_WIDTH).toBeLessThanOrEqual(at.peerEdge);
    }
  });
});
