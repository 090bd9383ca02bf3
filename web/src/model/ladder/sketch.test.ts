import { describe, expect, it } from 'vitest';
import { segment } from '../wire/fixtures';
import { bars } from './bars';
import { received, sent, testLog, testSocket, type TestFact } from './fixtures';
import { Layout } from './layout';
import { links } from './links';
import { rails } from './rails';
import { RAILS, Rungs } from './rungs';
import { sketch } from './sketch';
import { Strokes } from './strokes';
import { TimeMap } from './timemap';

const MAP = new TimeMap(Float64Array.of(0, 1000), 1, false);

function sketched(facts: TestFact[]) {
  const rungs = new Rungs(testLog([...facts].sort((a, b) => a.t - b.t)), 's1', [{ socket: testSocket('s2') }]);
  rungs.update();
  const layout = new Layout(rungs, MAP, 20);
  const segments = RAILS.flatMap((side) => layout.items(side, 0, 3)).filter((item) => item.side === 'wire').map((item) => ({ item, first: rungs.wire[item.from]! }));
  const drawn = { segments, links: links(rungs.ours, rungs.peer, MAP, 0, 1000), bars: { ours: bars(rungs.ours, MAP, 0, 1000), peer: bars(rungs.peer, MAP, 0, 1000) } };
  return sketch(drawn, new Strokes(rails(900, { ours: 1, peer: 1 }, true, true), 0));
}

const strokes = (path: string): number => path.match(/M/gu)?.length ?? 0;

describe('sketch', () => {
  it('has one path for each look, with everything that looks so', () => {
    const facts: TestFact[] = [sent(100, 5, 5, 0), sent(300, 5, 5, 5), received(340, 100, 10, 0, 's2'), { type: 'connecting', t: 20, remote: 'a', attempt: 1, of: 1 }];
    expect(sketched(facts).map(({ look, body, head }) => [look, strokes(body), strokes(head)])).toEqual([
      ['link sent', 2, 2],
      ['dot quiet', 1, 0],
      ['bar sent', 2, 0],
      ['bar wait received', 1, 1],
    ]);
  });

  it('tells segments apart by what is remarkable about them, and crowds from both', () => {
    const crowd = Array.from({ length: 40 }, (_, i) => segment(700 + i * 0.2, 'local', ['ack'], 6, 6));
    const all = [segment(50, 'local', ['syn'], 0, undefined), segment(120, 'peer', ['ack'], 1, 1), segment(200, 'local', ['ack'], 1, 1, 5, { marks: ['retransmission'] }), segment(280, 'peer', ['rst'], 6, 6), ...crowd];
    const found = sketched(all);
    expect(found.map(({ look }) => look)).toEqual(['segment sent plain', 'segment received plain', 'segment sent dashed', 'segment error broken', 'crowd']);
  });

  it('of thousands of calls is no more paths than of a few', () => {
    const facts = Array.from({ length: 5000 }, (_, i) => [sent(i * 0.2, 0.05, 1, i), received(i * 0.2 + 0.1, 0.05, 1, i, 's2')]).flat();
    expect(sketched(facts).length).toBeLessThan(8);
  });
});
