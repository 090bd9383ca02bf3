import { describe, expect, it } from 'vitest';
import { FLAG, KINDS } from './columns';
import { BatchBuilder, decodePage, splitFrame, transferables } from './decode';
import { events, page, utf8 } from '../fixtures';
import { EventLog } from './log';

function frame(json: unknown, raw: Uint8Array): ArrayBuffer {
  const head = utf8(JSON.stringify(json));
  const bytes = new Uint8Array(4 + head.length + raw.length);
  new DataView(bytes.buffer).setUint32(0, head.length);
  bytes.set(head, 4);
  bytes.set(raw, 4 + head.length);
  return bytes.buffer;
}

describe('splitFrame', () => {
  it('splits JSON from raw bytes', () => {
    const list = events(1, [{ type: 'received', len: 3, payload_range: [2, 3] }]);
    const { page: read, raw } = splitFrame(frame(page(list), utf8('xxabc')));
    expect(read.events).toEqual(list);
    expect(raw).toEqual(utf8('xxabc'));
  });

  it('refuses a frame that is shorter than it says', () => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(0, 100);
    expect(() => splitFrame(bytes.buffer)).toThrow(RangeError);
    expect(() => splitFrame(new ArrayBuffer(2))).toThrow(RangeError);
  });
});

describe('BatchBuilder', () => {
  it('joins pages, each with its own raw bytes', () => {
    const builder = new BatchBuilder();
    builder.add(page(events(1, [{ type: 'received', len: 2, payload_range: [0, 2] }])), utf8('ab'));
    builder.add(page(events(2, [{ type: 'sent', len: 1, payload_range: [1, 1] }])), utf8('xc'));
    const batch = builder.finish();
    expect(builder.empty).toBe(true);
    const log = new EventLog();
    log.append(batch);
    expect([log.get(1)!.bytes, log.get(2)!.bytes]).toEqual([utf8('ab'), utf8('c')]);
    expect(batch).toMatchObject({ count: 2, head: 2, next: 2 });
  });

  it('forgets nothing of one page in the next batch', () => {
    const builder = new BatchBuilder();
    builder.add(page(events(1, [{ type: 'received', len: 1, from: 'a:1', truncated: true, payload_evicted: true }])));
    builder.finish();
    builder.add(page(events(2, [{ type: 'received', len: 1 }])));
    const { columns } = builder.finish();
    expect([columns.flags[0], columns.address[0], columns.size[0]]).toEqual([0, 0, 0]);
  });

  it('marks why bytes are not there', () => {
    const { columns } = decodePage(
      page(
        events(1, [
          { type: 'received', len: 9, payload: btoa('abc'), payload_preview: true },
          { type: 'sent', len: 9, payload_evicted: true },
          { type: 'sent', len: 9, payload_unrecorded: true },
        ]),
      ),
    );
    expect([...columns.flags]).toEqual([FLAG.preview | FLAG.bytes, FLAG.evicted, FLAG.unrecorded]);
  });

  it('shows a kind it does not know instead of hiding it', () => {
    const strange = { ...events(1, [{ type: 'eof', offset: 0 }])[0]!, type: 'teleported' } as never;
    const batch = decodePage(page([strange]));
    expect(KINDS[batch.columns.kind[0]!]).toBe('unknown');
    expect(batch.extras).toEqual([[0, { event: strange }]]);
  });

  it('leaves out gaps that only say that the cursor was of another log', () => {
    expect(decodePage(page([], { gaps: [{ from: 1, to: 9, reason: 'wrong_epoch' }] })).count).toBe(0);
  });

  it('places gaps in order, also at the end', () => {
    const batch = decodePage(page(events(5, [{ type: 'eof', offset: 0 }]), { gaps: [{ from: 6, to: 7, reason: 'evicted' }, { from: 1, to: 4, reason: 'trimmed' }] }));
    expect([...batch.columns.seq]).toEqual([1, 5, 6]);
  });

  it('hands every column over exactly once', () => {
    const batch = decodePage(page(events(1, [{ type: 'received', len: 1, payload: 'YQ==' }])));
    const buffers = transferables(batch);
    expect(new Set(buffers).size).toBe(buffers.length);
    expect(buffers).toHaveLength(12);
  });
});
