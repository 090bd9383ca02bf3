import type { Direction, Fact, Frame, SegmentMark, TcpFlag } from '../../wire/generated';
import type { TestFact } from '../ladder/fixtures';
import { encodeBase64 } from '../bytes/base64';

type Segment = Extract<Fact, { type: 'segment' }>;

/** A captured segment of s1 whose other end is s2; numbers begin at 1000 (ours) and 5000 (the peer's). */
export function segment(t: number, sender: Direction, flags: TcpFlag[], seq: number, ack: number | undefined, len = 0, more: Partial<Segment> & { socket?: string } = {}): TestFact {
  const [mine, theirs] = sender === 'local' ? [1000, 5000] : [5000, 1000];
  return {
    type: 'segment',
    t,
    socket: 's1',
    sender,
    protocol: 'tcp',
    interface: 'lo',
    far: 's2',
    flags,
    seq_number: mine + seq,
    seq_relative: seq,
    ...(ack === undefined ? {} : { ack_number: theirs + ack, ack_relative: ack }),
    window: 65_536,
    len,
    ...(len > 0 ? { offset: seq - 1 } : {}),
    mss: 65_483,
    frame_len: 66 + len,
    ...more,
  };
}

/** A state of an end of a socket's connection. */
export function state(t: number, end: Direction, name: Extract<Fact, { type: 'kernel_state' }>['state'], evidence: Extract<Fact, { type: 'kernel_state' }>['evidence'] = 'read', socket = 's1'): TestFact {
  return { type: 'kernel_state', t, socket, end, ...(name === undefined ? {} : { state: name }), evidence };
}

/** Open, five bytes there and back, closed by us: every segment and every state of both ends. */
export function exchange(at = 0): TestFact[] {
  const marked = (mark: SegmentMark) => ({ marks: [mark] });
  return [
    state(at + 10, 'local', 'SYN_SENT', 'passed_through'),
    segment(at + 20, 'local', ['syn'], 0, undefined),
    state(at + 30, 'peer', 'SYN_RECEIVED', 'passed_through'),
    segment(at + 60, 'peer', ['syn', 'ack'], 0, 1),
    segment(at + 90, 'local', ['ack'], 1, 1),
    state(at + 91, 'local', 'ESTABLISHED'),
    state(at + 95, 'peer', 'ESTABLISHED'),
    segment(at + 300, 'local', ['psh', 'ack'], 1, 1, 5),
    segment(at + 340, 'peer', ['ack'], 1, 6),
    segment(at + 420, 'peer', ['psh', 'ack'], 1, 6, 5),
    segment(at + 450, 'local', ['ack'], 6, 6),
    segment(at + 700, 'local', ['fin', 'ack'], 6, 6),
    state(at + 701, 'local', 'FIN_WAIT_1', 'passed_through'),
    state(at + 702, 'peer', 'CLOSE_WAIT'),
    segment(at + 740, 'peer', ['ack'], 6, 7),
    state(at + 741, 'local', 'FIN_WAIT_2'),
    segment(at + 800, 'peer', ['fin', 'ack'], 6, 7),
    state(at + 801, 'peer', 'LAST_ACK', 'passed_through'),
    segment(at + 830, 'local', ['ack'], 7, 7, 0, marked('duplicate_ack')),
    state(at + 831, 'local', 'TIME_WAIT'),
    state(at + 832, 'peer', undefined, 'unknown'),
  ];
}

/** A frame over loopback with five bytes of payload, of which `captured` bytes in all are here. */
export function frame(captured = 71): Frame {
  const bytes = Uint8Array.from({ length: 71 }, (_, i) => (i === 14 ? 0x45 : i >= 66 ? 'hello'.charCodeAt(i - 66) : (i * 7) & 0xff));
  const field = (name: string, value: string, byte: number, bits: number, bit = 0, remark?: string) => ({ name, value, bit_offset: byte * 8 + bit, bit_len: bits, ...(remark === undefined ? {} : { remark }) });
  return {
    len: 71,
    bytes: encodeBase64(bytes.subarray(0, captured)),
    layers: [
      { name: 'ethernet', offset: 0, len: 14, fields: [field('destination', '00:00:00:00:00:00', 0, 48), field('source', '00:00:00:00:00:00', 6, 48), field('ether_type', '0x0800 IPv4', 12, 16)] },
      {
        name: 'ipv4',
        offset: 14,
        len: 20,
        fields: [
          field('version', '4', 14, 4),
          field('header_length', '20 bytes', 14, 4, 4),
          field('total_length', '57', 16, 16),
          field('fragment_offset', '0', 20, 13, 3),
          field('ttl', '64', 22, 8),
          field('protocol', '6 TCP', 23, 8),
          field('source', '127.0.0.1', 26, 32),
          field('destination', '127.0.0.1', 30, 32),
        ],
      },
      {
        name: 'tcp',
        offset: 34,
        len: 32,
        fields: [
          field('source_port', '40000', 34, 16),
          field('destination_port', '7', 36, 16),
          field('sequence_number', '1001', 38, 32),
          field('acknowledgment_number', '5001', 42, 32),
          field('data_offset', '32 bytes', 46, 4),
          field('flags', 'PSH, ACK', 47, 8),
          field('window', '512', 48, 16),
          field('checksum', '0xfe2d', 50, 16, 0, 'checksum_unfilled'),
          field('option_timestamps', '1 2', 56, 80),
        ],
      },
      { name: 'payload', offset: 66, len: 5, fields: [] },
    ],
  };
}
