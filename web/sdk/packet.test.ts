import { expect, it } from 'vitest';
import { CREDIT, DATAGRAM, decode, encode, placeBytes, readDatagram, u32 } from './packet.js';

it('lays bytes where the document has them', () => {
  expect([...encode(CREDIT, 0xa0b0c0d0, u32(258))]).toEqual([4, 0xd0, 0xc0, 0xb0, 0xa0, 2, 1, 0, 0]);
  expect(decode(encode(CREDIT, 2 ** 31).buffer)).toEqual({ type: CREDIT, socket: 2 ** 31, payload: new Uint8Array() });
  expect(decode(new ArrayBuffer(4))).toBeUndefined();
});

it('reads back where a datagram came from, and what was in it', () => {
  const data = new Uint8Array([7, 8]);
  const place = { host: '127.0.0.1', port: 0x1234 };
  const payload = decode(encode(DATAGRAM, 1, placeBytes(place), data).buffer)!.payload;
  expect(readDatagram(payload)).toEqual({ place, data });
  expect(readDatagram(decode(encode(DATAGRAM, 1, placeBytes(undefined), data).buffer)!.payload)).toEqual({ place: undefined, data });
});
