import { describe, expect, it } from 'vitest';
import type { SegmentEvent } from '../log/segments';
import { ackOf, flagsText, nameOf, rangeOf, segmentText } from './label';

const segment = (more: Partial<SegmentEvent>): SegmentEvent => ({ seq: 1, t_us: 1, at: '', type: 'segment', sender: 'local', protocol: 'tcp', interface: 'lo', len: 0, frame_len: 66, ...more });

describe('a segment in words', () => {
  it('names flags in the order people write them', () => {
    expect(flagsText(['ack', 'syn'])).toBe('SYN, ACK');
    expect(flagsText(['ack', 'psh'])).toBe('PSH, ACK');
    expect(nameOf(segment({ flags: ['fin', 'ack'] }))).toBe('FIN, ACK');
    expect(nameOf(segment({ flags: [] }))).toBe('–');
  });

  it('says which bytes it carries, relatively or as on the wire, around the end of the numbers', () => {
    const data = segment({ flags: ['psh', 'ack'], seq_number: 2 ** 32 - 2, seq_relative: 1, ack_number: 77, ack_relative: 1, len: 5, window: 512 });
    expect(segmentText(data)).toBe('PSH, ACK 1:6 (5) ack 1 win 512');
    expect(rangeOf(data, 'absolute')).toBe('4294967294:3 (5)');
    expect(ackOf(data, 'absolute')).toBe(77);
  });

  it('falls back to the wire’s numbers where the beginning was not seen', () => {
    expect(rangeOf(segment({ flags: ['ack'], seq_number: 900, len: 10 }))).toBe('900:910 (10)');
    expect(rangeOf(segment({ flags: ['syn'], seq_number: 900, seq_relative: 0 }))).toBe('0');
    expect(rangeOf(segment({ flags: ['ack'], seq_number: 900, seq_relative: 1 }))).toBe('');
  });

  it('knows datagrams and errors', () => {
    expect(segmentText(segment({ protocol: 'udp', len: 5 }))).toBe('UDP (5)');
    expect(nameOf(segment({ protocol: 'icmp', icmp: { type: 3, code: 3 } }))).toBe('ICMP port unreachable');
    expect(nameOf(segment({ protocol: 'icmp', icmp: { type: 1, code: 4, from: '::1' } }))).toBe('ICMP port unreachable');
    expect(nameOf(segment({ protocol: 'icmp', icmp: { type: 42, code: 7 } }))).toBe('ICMP 42/7');
  });
});
