import { describe, expect, it } from 'vitest';
import { KEY_LIMITS, type KeyDraft, readDraft } from './draft';

const EMPTY: KeyDraft = { name: '', targets: '', origins: '', streams: '', rate: '', bytes: '', record: false };
const ONE: KeyDraft = { ...EMPTY, targets: 'tcp://127.0.0.1:5900' };

function faults(draft: Partial<KeyDraft>): object {
  const read = readDraft({ ...ONE, ...draft });
  return read.ok ? {} : read.faults;
}

describe('readDraft', () => {
  it('asks for what was typed and leaves the rest to the server', () => {
    expect(readDraft(ONE)).toEqual({ ok: true, request: { targets: ['tcp://127.0.0.1:5900'] } });
    expect(
      readDraft({ name: ' VNC ', targets: '\n tcp://a:1 \r\n\nudp://*:*\ntcp://a:1', origins: 'https://Example.com:443/\nhttp://localhost:8080\nchrome-extension://abcdefgh', streams: '8', rate: ' 5 ', bytes: '2 GiB', record: true }),
    ).toEqual({
      ok: true,
      request: { name: 'VNC', targets: ['tcp://a:1', 'udp://*:*'], origins: ['https://example.com', 'http://localhost:8080', 'chrome-extension://abcdefgh'], max_streams: 8, connects_per_second: 5, max_bytes: 2_147_483_648, record: true },
    });
  });

  it('needs a target, and says which line is none', () => {
    expect(readDraft(EMPTY)).toEqual({ ok: false, faults: { targets: { code: 'none' } } });
    expect(faults({ targets: 'tcp://a:1\n\nftp://a:1' })).toEqual({ targets: { code: 'line', line: 3, why: 'scheme', found: 'ftp://a:1' } });
  });

  it('takes so many lines and no more', () => {
    const ports = (count: number): string => Array.from({ length: count }, (_, i) => `tcp://a:${String(i + 1)}`).join('\n');
    expect(faults({ targets: ports(KEY_LIMITS.lines) })).toEqual({});
    expect(faults({ targets: ports(KEY_LIMITS.lines + 1) })).toEqual({ targets: { code: 'many', most: KEY_LIMITS.lines } });
  });

  it.each(['example.com', 'https://', 'https://a/path', 'https://a?x', 'https://me@a', 'https://*.a', 'null', '*', 'https:a', 'https://a:99999'])('takes no %j for an origin', (origin) => {
    expect(faults({ origins: `https://ok.example\n${origin}` })).toEqual({ origins: { code: 'line', line: 2, why: 'origin', found: origin } });
  });

  it.each([
    ['streams', '0', 1, 65_536],
    ['streams', '65537', 1, 65_536],
    ['streams', '1.5', 1, 65_536],
    ['rate', '0', 1, 100_000],
    ['rate', '100001', 1, 100_000],
    ['rate', 'many', 1, 100_000],
  ] as const)('refuses %s of %j with the range', (field, value, min, max) => {
    expect(faults({ [field]: value })).toEqual({ [field]: { code: 'range', min, max } });
    expect(faults({ [field]: String(max) })).toEqual({});
  });

  it('counts a name in characters, not in halves of them', () => {
    expect(faults({ name: '🧦'.repeat(200) })).toEqual({});
    expect(faults({ name: '🧦'.repeat(201) })).toEqual({ name: { code: 'long', most: 200 } });
  });

  it('says everything that is wrong at once', () => {
    expect(Object.keys(faults({ targets: '', origins: 'x', streams: 'x', rate: 'x', bytes: 'x', name: 'x'.repeat(300) })).sort()).toEqual(['bytes', 'name', 'origins', 'rate', 'streams', 'targets']);
  });
});
