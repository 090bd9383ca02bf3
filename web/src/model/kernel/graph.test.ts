import { describe, expect, it } from 'vitest';
import { causeOf, EDGES, edgeOf, PLACES, SIZE, STATES } from './graph';

describe('the graph', () => {
  it('has the eleven states, each reached and left', () => {
    expect(new Set(STATES).size).toBe(11);
    for (const state of STATES) {
      expect(EDGES.some(({ to }) => to === state), `${state} is reached`).toBe(true);
      expect(EDGES.some(({ from }) => from === state), `${state} is left`).toBe(true);
    }
  });

  it('keeps every node inside the drawing, and none on another', () => {
    for (const [x, y] of Object.values(PLACES)) {
      expect(x - SIZE.nodeWidth / 2).toBeGreaterThanOrEqual(0);
      expect(x + SIZE.nodeWidth / 2).toBeLessThanOrEqual(SIZE.width);
      expect(y + SIZE.nodeHeight / 2).toBeLessThanOrEqual(SIZE.height);
      const near = Object.values(PLACES).filter(([a, b]) => Math.abs(a - x) < SIZE.nodeWidth && Math.abs(b - y) < SIZE.nodeHeight);
      expect(near).toHaveLength(1);
    }
  });

  it('knows why a state is left for another', () => {
    expect(causeOf('FIN_WAIT_2', 'TIME_WAIT')).toBe('fin_arrives');
    expect(causeOf('ESTABLISHED', 'CLOSED')).toBe('abandoned');
    expect(causeOf('ESTABLISHED', 'FIN_WAIT_2')).toBeUndefined();
    expect(causeOf(undefined, 'CLOSED')).toBeUndefined();
    expect(edgeOf('TIME_WAIT', 'CLOSED')?.by).toBe('timer');
    expect(new Set(EDGES.map(({ d }) => d)).size).toBe(EDGES.length);
  });
});
