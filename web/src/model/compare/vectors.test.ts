import { describe, expect, it } from 'vitest';
import vectors from '../../../../tests/vectors/predict.json';
import type { Lane, Meter } from '../../wire/generated';
import { predict, type Predicted } from './predict';
import type { LanePremises } from './premises';
import { type Base, pricesOf, type Prices, type Reads } from './prices';
import type { Summary } from './samples';

/** One case of `tests/vectors/predict.json`, which the unit tests of `sockscope compare` read too. */
interface Case {
  readonly name: string;
  readonly lane: Lane;
  readonly premises: LanePremises;
  readonly meter: Omit<Meter, 'id'>;
  readonly delay_ms: Summary | null;
  readonly priced: { readonly base: Base; readonly reads: Reads } | null;
  readonly prices: Omit<Prices, 'json'> | null;
  /** Figures by which a page is as any other client: a browser's connections and its WebSocket's goodbye are not among them. */
  readonly predicted: Predicted;
}

const CASES = vectors as unknown as Case[];

describe('what both languages predict', () => {
  it.each(CASES)('$name', ({ lane, premises, meter, delay_ms: delay, priced, prices: priceTags, predicted }) => {
    const prices = priced === null ? undefined : pricesOf(lane, priced.base, priced.base, priced.reads, false);
    if (priceTags !== null) expect(prices).toMatchObject(priceTags);
    const { figures, requests, ...verdicts } = predicted;
    const said = predict(lane, premises, meter, delay, prices);
    expect(said).toMatchObject(verdicts);
    expect(said.requests).toBeCloseTo(requests, 6);
    for (const [name, { value, ...expected }] of Object.entries(figures)) {
      const figure = said.figures[name as keyof typeof said.figures];
      expect(figure, name).toMatchObject(expected);
      expect(figure?.value, name).toBeCloseTo(value, 6);
    }
  });
});
