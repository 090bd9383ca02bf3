import { describe, expect, it } from 'vitest';
import type { TimerKind } from '../../wire/generated';
import { decodePage } from '../log/decode';
import { exchange, segment, state } from '../wire/fixtures';
import { sent, testLog, testPage, testSocket, type TestFact } from './fixtures';
import { summary } from './layout';
import { Rungs, RUNGS_KEPT, type Side } from './rungs';

const them = { socket: testSocket('s2') };

function rungsOf(facts: TestFact[], of = 's1', peers = [them]): Rungs {
  const rungs = new Rungs(testLog(facts), of, peers);
  rungs.update();
  return rungs;
}

const states = (rungs: Rungs, side: Side): string[] => rungs[side].flatMap((rung) => (rung.state === undefined ? [] : [`${rung.state.name ?? '?'} ${rung.state.evidence}`]));

describe('the wire rail', () => {
  it('has every segment, seen from the end that is looked from', () => {
    const ours = rungsOf(exchange());
    expect(ours.wire).toHaveLength(11);
    expect(ours.wire.slice(0, 3).map((rung) => rung.local)).toEqual([true, false, true]);
    const theirs = rungsOf(exchange(), 's2', [{ socket: testSocket('s1') }]);
    expect(theirs.wire.slice(0, 3).map((rung) => rung.local)).toEqual([false, true, false]);
    expect(rungsOf(exchange(), 's3', []).wire).toHaveLength(0);
  });

  it('marks what the server marked, and what flags and sizes say', () => {
    const { wire } = rungsOf([
      segment(1, 'local', ['ack'], 1, 1, 10, { marks: ['retransmission'] }),
      segment(2, 'peer', ['rst', 'ack'], 1, 1),
      segment(3, 'local', ['ack'], 1, 1, 65_483, { pieces: 46, mss: 1448 }),
      segment(4, 'peer', [], 0, undefined, 0, { protocol: 'icmp', icmp: { type: 3, code: 3 } }),
      segment(5, 'local', ['ack'], 1, 1),
    ]);
    expect(wire.map((rung) => rung.marks?.[0])).toEqual(['retransmission', 'reset', 'offload', 'icmp', undefined]);
    expect(wire.map((rung) => rung.tone)).toEqual(['sent', 'error', 'sent', 'error', 'sent']);
    expect(summary(wire, 0, wire.length)).toMatchObject({ calls: 5, marked: 4, sent: 65_493, received: 0, errors: 2 });
  });

  it('says where the capture missed something, on a wire that has segments', () => {
    const lost: TestFact = { type: 'capture_lost', t: 5, count: 3, total: 3, socket: 's1' };
    expect(rungsOf([segment(1, 'local', ['syn'], 0, undefined), lost]).wire.map((rung) => rung.kind)).toEqual(['segment', 'capture_lost']);
    expect(rungsOf([lost]).wire).toHaveLength(0);
  });

  it('keeps the newest of a flood, and the calls beside it', () => {
    const many = RUNGS_KEPT * 3;
    const log = testLog([sent(0, 0, 1, 0)]);
    for (let from = 0; from < many; from += 5000) log.append(decodePage(testPage(Array.from({ length: 5000 }, (_, i) => segment(10 + from + i, 'local', ['ack'], 1, 1, 1)), 1 + from)));
    const rungs = new Rungs(log, 's1', []);
    rungs.update();
    expect(rungs.ours).toHaveLength(1);
    expect(rungs.wire).toHaveLength(RUNGS_KEPT);
    expect(rungs.wire.at(-1)!.seq).toBe(many + 1);
  });

  it('takes what comes late to its place', () => {
    const { wire } = rungsOf([segment(50, 'local', ['ack'], 1, 1), segment(20, 'peer', ['ack'], 1, 1)]);
    expect(wire.map((rung) => rung.end)).toEqual([20, 50]);
  });
});

describe('states on the rails', () => {
  it('stand on the rail of their end, with how they are known', () => {
    const rungs = rungsOf(exchange());
    expect(states(rungs, 'ours')).toEqual(['SYN_SENT passed_through', 'ESTABLISHED read', 'FIN_WAIT_1 passed_through', 'FIN_WAIT_2 read', 'TIME_WAIT read']);
    expect(states(rungs, 'peer')).toEqual(['SYN_RECEIVED passed_through', 'ESTABLISHED read', 'CLOSE_WAIT read', 'LAST_ACK passed_through', '? unknown']);
    expect(rungs.ours.find((rung) => rung.state !== undefined)).toMatchObject({ tone: 'state', call: false });
  });

  it('change sides with the point of view, and need no socket of ours at the other end', () => {
    expect(states(rungsOf(exchange(), 's2', [{ socket: testSocket('s1') }]), 'ours')[0]).toBe('SYN_RECEIVED passed_through');
    expect(states(rungsOf(exchange(), 's1', []), 'peer')).toHaveLength(5);
  });

  it('are what an end says of itself, where the other tells of it too and each reads at its own time', () => {
    const told = [
      state(10, 'local', 'ESTABLISHED'),
      state(11, 'peer', 'ESTABLISHED', 'read', 's2'),
      state(20, 'local', 'FIN_WAIT_1', 'passed_through'),
      state(21, 'local', 'FIN_WAIT_2'),
      state(22, 'peer', 'CLOSE_WAIT'),
      state(23, 'peer', 'FIN_WAIT_1', 'passed_through', 's2'),
      state(24, 'peer', 'FIN_WAIT_2', 'read', 's2'),
      state(25, 'local', 'CLOSE_WAIT', 'passed_through', 's2'),
      state(30, 'local', 'TIME_WAIT'),
      state(31, 'peer', 'TIME_WAIT', 'read', 's2'),
    ];
    const ours = ['ESTABLISHED read', 'FIN_WAIT_1 passed_through', 'FIN_WAIT_2 read', 'TIME_WAIT read'];
    expect(states(rungsOf(told), 'ours')).toEqual(ours);
    expect(states(rungsOf(told), 'peer')).toEqual(['CLOSE_WAIT passed_through']);
    const across = rungsOf(told, 's2', [{ socket: testSocket('s1') }]);
    expect([states(across, 'peer'), states(across, 'ours')]).toEqual([ours, ['CLOSE_WAIT passed_through']]);
    // The other's word stands until the end says something itself.
    const log = testLog(told.slice(0, 5).filter((fact) => fact.socket === 's2'));
    const rungs = new Rungs(log, 's1', [them]);
    rungs.update();
    expect(states(rungs, 'ours')).toEqual(['ESTABLISHED read']);
    for (const fact of told) {
      log.append(decodePage(testPage([fact], log.head)));
      rungs.update();
    }
    expect(states(rungs, 'ours')).toEqual(ours);
  });

  it('count as read once they were', () => {
    const rungs = rungsOf([state(6, 'local', 'ESTABLISHED', 'passed_through'), state(10, 'local', 'ESTABLISHED', 'read'), state(20, 'local', 'CLOSE_WAIT'), state(21, 'local', 'CLOSE_WAIT', 'passed_through')]);
    expect(states(rungs, 'ours')).toEqual(['ESTABLISHED read', 'CLOSE_WAIT read']);
    expect(rungs.ours[0]!.end).toBe(6);
  });

  it('are said again when what they wait for changes', () => {
    const waiting = (t: number, kind: TimerKind, retransmits: number) => ({ ...state(t, 'local', 'ESTABLISHED'), timer: { kind, expires_ms: 200, retransmits } });
    const rungs = rungsOf([waiting(1, 'retransmit', 0), waiting(2, 'zero_window_probe', 0), waiting(3, 'zero_window_probe', 4), state(4, 'local', 'ESTABLISHED'), waiting(5, 'retransmit', 1)]);
    const told = rungs.ours.map((rung) => `${String(rung.end)} ${rung.state?.waits ?? '-'}`);
    expect(told).toEqual(['1 -', '2 zero_window_probe', '4 -', '5 retransmit']);
  });

  it('are counted apart from calls', () => {
    const rungs = rungsOf([sent(1, 0, 1, 0), state(2, 'local', 'ESTABLISHED'), sent(3, 0, 1, 1)]);
    expect(summary(rungs.ours, 0, 3)).toMatchObject({ calls: 2, states: 1 });
  });
});
