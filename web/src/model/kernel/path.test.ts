import { describe, expect, it } from 'vitest';
import { events } from '../fixtures';
import type { Fact } from '../../wire/generated';
import { Path, STEPS_KEPT, timerLeft } from './path';

type State = Extract<Fact, { type: 'kernel_state' }>;
const told = (more: Partial<State> & { socket?: string; t_us?: number }): State & { socket?: string } => ({ type: 'kernel_state', end: 'local', evidence: 'read', ...more });

function pathOf(facts: (State & { socket?: string })[]): Path {
  const path = new Path('s1');
  for (const event of events(1, facts)) path.add(event);
  return path;
}
const states = (path: Path, end: 'local' | 'peer') => path.end(end).steps.map(({ state }) => state);

describe('Path', () => {
  it('keeps both ends apart, as one socket tells them', () => {
    const path = pathOf([told({ state: 'SYN_SENT', evidence: 'passed_through' }), told({ state: 'ESTABLISHED' }), told({ end: 'peer', state: 'ESTABLISHED', owner: { uid: 1000, pid: 7, process: 'nc' } })]);
    expect(states(path, 'local')).toEqual(['SYN_SENT', 'ESTABLISHED']);
    expect(states(path, 'peer')).toEqual(['ESTABLISHED']);
    expect(path.end('peer').owner).toEqual({ uid: 1000, pid: 7, process: 'nc' });
    expect(path.end('local').steps[0]!.evidence).toBe('passed_through');
  });

  it('takes what an end says of itself before what the other saw of it', () => {
    const path = pathOf([told({ end: 'peer', state: 'ESTABLISHED' }), told({ socket: 's2', state: 'CLOSE_WAIT' }), told({ end: 'peer', state: 'ESTABLISHED' }), told({ socket: 's2', state: 'LAST_ACK' })]);
    expect(states(path, 'peer')).toEqual(['CLOSE_WAIT', 'LAST_ACK']);
    expect(states(path, 'local')).toEqual([]);
  });

  it('has no state twice because the other end read it later', () => {
    const own = (state: State['state']) => told({ state });
    const other = (state: State['state']) => told({ socket: 's2', end: 'peer', state });
    const path = pathOf([own('FIN_WAIT_1'), own('FIN_WAIT_2'), other('FIN_WAIT_1'), other('FIN_WAIT_2'), own('TIME_WAIT'), other('TIME_WAIT')]);
    expect(states(path, 'local')).toEqual(['FIN_WAIT_1', 'FIN_WAIT_2', 'TIME_WAIT']);
  });

  it('takes a state that is told again for one state, with the surest word for it', () => {
    const path = pathOf([
      told({ state: 'TIME_WAIT', evidence: 'passed_through' }),
      told({ state: 'TIME_WAIT', timer: { kind: 'time_wait', expires_ms: 59_000, retransmits: 0 }, t_us: 1e6 }),
      told({ state: 'TIME_WAIT', evidence: 'unknown', timer: { kind: 'time_wait', expires_ms: 58_000, retransmits: 0 }, t_us: 2e6 }),
    ]);
    const [step, ...more] = path.end('local').steps;
    expect(more).toEqual([]);
    expect(step).toMatchObject({ evidence: 'read', atUs: 1000, timerAtUs: 2e6 });
    expect(timerLeft(step, 3e6)).toBe(57e6);
    expect(timerLeft(step, 99e6)).toBe(0);
    expect(timerLeft(undefined, 0)).toBeUndefined();
  });

  it('shows what nobody can say, and forgets the oldest', () => {
    const facts = Array.from({ length: STEPS_KEPT + 5 }, (_, i) => (i % 2 === 0 ? told({ state: 'ESTABLISHED' }) : told({ evidence: 'unknown' })));
    const path = pathOf(facts);
    expect(path.end('local').steps).toHaveLength(STEPS_KEPT);
    expect(states(path, 'local')).toContain(undefined);
  });
});
