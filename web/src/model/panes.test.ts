import { describe, expect, it } from 'vitest';
import { LEAST, LINE, paneWidths, usual } from './panes';

const NOBODY = { sockets: null, detail: null };

describe('paneWidths', () => {
  it('gives what is usual where nobody chose', () => {
    const { sockets, detail } = paneWidths(1440, NOBODY);
    expect([sockets.now, detail.now]).toEqual([usual('sockets', 1440), usual('detail', 1440)]);
  });

  it('gives what was wanted as long as the middle keeps what it needs', () => {
    expect(paneWidths(1440, { sockets: 300, detail: 640 })).toMatchObject({ sockets: { now: 300 }, detail: { now: 640 } });
    for (const total of [901, 1000, 1100, 1280, 1440, 2560]) {
      for (const wanted of [0, 200, 620, 5000]) {
        const { sockets, detail } = paneWidths(total, { sockets: wanted, detail: wanted });
        expect(total - sockets.now - detail.now - 2 * LINE).toBeGreaterThanOrEqual(LEAST.middle);
        for (const pane of [sockets, detail]) {
          expect(pane.now).toBeGreaterThanOrEqual(pane.least);
          expect(pane.now).toBeLessThanOrEqual(pane.most);
        }
      }
    }
  });

  it('lets each side go exactly as far as it says', () => {
    const { sockets, detail } = paneWidths(1280, NOBODY);
    expect(paneWidths(1280, { sockets: sockets.most, detail: detail.now })).toMatchObject({ sockets: { now: sockets.most }, detail: { now: detail.now } });
    expect(paneWidths(1280, { sockets: sockets.now, detail: detail.most })).toMatchObject({ sockets: { now: sockets.now }, detail: { now: detail.most } });
  });

  it('has room for the whole ladder in a window of ordinary width', () => {
    expect(paneWidths(1280, NOBODY).detail.most).toBeGreaterThanOrEqual(620);
  });
});
