import { describe, expect, it } from 'vitest';
import { DEFAULTS, draftFrom, draftOf, linkOf, type NumberField, readDraft, type Settings } from './settings';

const draft = (field: NumberField, value: string) => ({ ...draftOf(DEFAULTS), [field]: value });

describe('readDraft', () => {
  it.each<[NumberField, string, number]>([
    ['rate', '0.1', 0.1],
    ['rate', '1000', 1000],
    ['rate', '1e3', 1000],
    ['rate', '+5.', 5],
    ['poll', '2.5E-1', 0.25],
    ['payload', '16', 16],
    ['payload', ' 65536 ', 65_536],
    ['seconds', '1', 1],
    ['poll', '.01', 0.01],
    ['poll', '60', 60],
  ])('takes %s %j', (field, text, value) => {
    const read = readDraft({ ...draft(field, text), ...(field === 'rate' && value === 1000 ? { payload: '64' } : {}) });
    expect(read.ok && read.settings[field]).toBe(value);
  });

  it.each<[NumberField, string]>([
    ['rate', '0.09'],
    ['rate', '1001'],
    ['rate', 'NaN'],
    ['rate', ''],
    ['rate', '1e4'],
    ['rate', 'e3'],
    ['rate', 'inf'],
    ['rate', '-1'],
    ['payload', '15'],
    ['payload', '16.5'],
    ['payload', '65537'],
    ['payload', '0x20'],
    ['seconds', '0'],
    ['seconds', '3601'],
    ['poll', '0'],
    ['poll', '61'],
  ])('refuses %s %j with the range', (field, text) => {
    const read = readDraft(draft(field, text));
    expect(read.ok).toBe(false);
    const wrong = read.ok ? undefined : read.wrong[field];
    expect(wrong?.is).toBe('range');
  });

  it('refuses more than 4 MiB a second', () => {
    expect(readDraft({ ...draftOf(DEFAULTS), rate: '64', payload: '65536' }).ok).toBe(true);
    const read = readDraft({ ...draftOf(DEFAULTS), rate: '65', payload: '65536' });
    expect(!read.ok && read.wrong.rate).toEqual({ is: 'product', most: 4_194_304 });
  });

  it('refuses more messages than a page can keep', () => {
    expect(readDraft({ ...draftOf(DEFAULTS), rate: '1000', seconds: '1000' }).ok).toBe(true);
    const read = readDraft({ ...draftOf(DEFAULTS), rate: '1000', seconds: '1001' });
    expect(!read.ok && read.wrong.seconds).toEqual({ is: 'messages', most: 1_000_000 });
  });

  it('asks nothing of a rate that a foreign socket does not have', () => {
    expect(readDraft({ ...draft('rate', 'x'), source: 's7' }).ok).toBe(true);
  });
});

describe('a link', () => {
  it.each<Settings>([
    DEFAULTS,
    { source: 'ticker', rate: 0.5, payload: 1024, regular: true, seconds: 120, poll: 0.25, binary: true },
    { ...DEFAULTS, source: 's12', seconds: 9 },
  ])('brings back what it was made of: %j', (settings) => {
    const link = linkOf(settings);
    expect(link).toMatch(/^#compare\?./u);
    const read = readDraft(draftFrom(link.slice('#compare?'.length)));
    expect(read).toEqual({ ok: true, settings });
  });

  it('does not hide a wrong value', () => {
    const given = draftFrom('rate=9999&source=javascript:1&payload=');
    expect(given.rate).toBe('9999');
    expect(given.source).toBe('ticker');
    expect(readDraft(given).ok).toBe(false);
  });
});
