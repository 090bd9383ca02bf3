import { describe, expect, it } from 'vitest';
import { SseReader } from './sse';

const STREAM = 'event: hello\ndata: {"head":1}\n\nid: e:2\ndata: {"seq":2}\n\n: alive\n\nevent: gap\nid: e:9\ndata: {"from":3}\n\n';
const MESSAGES = [
  { event: 'hello', data: '{"head":1}' },
  { event: 'message', data: '{"seq":2}' },
  { event: 'gap', data: '{"from":3}' },
];

describe('SseReader', () => {
  it('reads a stream in one piece', () => {
    expect(new SseReader().push(STREAM)).toEqual(MESSAGES);
  });

  it('reads it a character at a time', () => {
    const reader = new SseReader();
    expect([...STREAM].flatMap((character) => reader.push(character))).toEqual(MESSAGES);
  });

  it('keeps what is not whole to itself', () => {
    const reader = new SseReader();
    expect(reader.push('data: {"seq"')).toEqual([]);
    expect(reader.push(':2}\n')).toEqual([]);
    expect(reader.push('\n')).toEqual([{ event: 'message', data: '{"seq":2}' }]);
  });
});
