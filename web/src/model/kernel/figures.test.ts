import { describe, expect, it } from 'vitest';
import { events } from '../fixtures';
import type { Fact, TcpInfo } from '../../wire/generated';
import { columnsOf, Figures, READINGS_KEPT } from './figures';

const told = (rtt: number, more: Partial<Extract<Fact, { type: 'tcp_info' }>> & { socket?: string; t_us?: number } = {}): Fact & { socket?: string } => ({ type: 'tcp_info', end: 'local', info: { rtt_us: rtt } as TcpInfo, receive_queue: 0, send_queue: rtt, ...more });
const figuresOf = (facts: (Fact & { socket?: string })[]): Figures => {
  const figures = new Figures('s1');
  for (const event of events(1, facts)) figures.add(event);
  return figures;
};

describe('Figures', () => {
  it('keeps both ends, and takes an end’s own word first', () => {
    const figures = figuresOf([told(1), told(2, { end: 'peer' }), told(3, { socket: 's2' })]);
    expect(figures.last('local')?.info.rtt_us).toBe(1);
    expect(figures.last('peer')?.info.rtt_us).toBe(3);
  });

  it('puts both ends on one axis; a value holds until the next', () => {
    const figures = figuresOf([told(10, { t_us: 1e6 }), told(20, { socket: 's2', t_us: 2e6 }), told(30, { t_us: 3e6 })]);
    const value = ({ info }: { info: TcpInfo }): number => info.rtt_us;
    expect(columnsOf(figures, [{ end: 'local', value }, { end: 'peer', value }])).toEqual([[0, 1, 2], [10, 10, 30], [null, 20, 20]]);
  });

  it('holds the last value to a time', () => {
    const figures = figuresOf([told(10, { t_us: 1e6 }), told(20, { socket: 's2', t_us: 2e6 })]);
    const value = ({ info }: { info: TcpInfo }): number => info.rtt_us;
    const lines = [{ end: 'local' as const, value }, { end: 'peer' as const, value }];
    expect(columnsOf(figures, lines, 5e6)).toEqual([[0, 1, 4], [10, 10, 10], [null, 20, 20]]);
    expect(columnsOf(figures, lines, 2e6)[0]).toEqual([0, 1]);
    expect(columnsOf(new Figures('s1'), lines, 5e6)[0]).toEqual([]);
  });

  it('thins what is old and keeps what is new', () => {
    const figures = figuresOf(Array.from({ length: READINGS_KEPT + 10 }, (_, i) => told(i)));
    expect(figures.end('local').length).toBeLessThanOrEqual(READINGS_KEPT);
    expect([figures.end('local')[0]?.info.rtt_us, figures.last('local')?.info.rtt_us]).toEqual([0, READINGS_KEPT + 9]);
  });
});
