import { describe, expect, it } from 'vitest';
import { frame } from './fixtures';
import { bitsOf, fieldsAt, layersOf, missing } from './frame';
import { levelOf, waysOf } from './sight';

describe('a frame in layers', () => {
  it('gives each layer its bytes and its fields their places in it', () => {
    const [ethernet, ip, tcp, payload] = layersOf(frame());
    expect([ethernet, ip, tcp, payload].map((layer) => layer!.bytes.length)).toEqual([14, 20, 32, 5]);
    expect(new TextDecoder().decode(payload!.bytes)).toBe('hello');
    expect(tcp!.fields.find((field) => field.name === 'option_timestamps')).toMatchObject({ first: 22, last: 31 });
  });

  it('finds every field of a byte, and how a field lies in its bits', () => {
    const ip = layersOf(frame())[1]!;
    expect(fieldsAt(ip, 0).map((field) => field.name)).toEqual(['version', 'header_length']);
    expect(fieldsAt(ip, 1)).toEqual([]);
    expect(bitsOf(ip.fields[1]!, ip)).toEqual({ byte: 0, bit: 4, len: 4, whole: false });
    expect(ip.fields.find((field) => field.name === 'fragment_offset')).toMatchObject({ first: 6, last: 7 });
    expect(bitsOf(ip.fields[2]!, ip)).toMatchObject({ byte: 2, whole: true });
  });

  it('says what was not captured', () => {
    const payload = layersOf(frame(68))[3]!;
    expect([payload.bytes.length, missing(payload)]).toEqual([2, 3]);
    expect(missing(layersOf({ ...frame(), bytes: '!' })[0]!)).toBe(14);
  });
});

describe('the kernel’s sight', () => {
  const yes = { active: true };
  const no = { active: false, errno: 'EPERM' };

  it('has the highest level that is active', () => {
    expect(levelOf({ tcp_info: yes, sock_diag: yes, segments: yes, container: false })).toBe(3);
    expect(levelOf({ tcp_info: yes, sock_diag: yes, segments: no, container: false })).toBe(2);
    expect(levelOf({ tcp_info: yes, sock_diag: no, segments: no, container: false })).toBe(1);
    expect(levelOf({ tcp_info: no, sock_diag: no, segments: no, container: false })).toBe(0);
  });

  it('offers first what fits where the server runs', () => {
    const ids = (container: boolean): string[] => waysOf({ tcp_info: yes, sock_diag: yes, segments: no, container }).map((way) => way.id);
    expect(ids(false)[0]).toBe('setcap');
    expect(ids(true)[0]).toBe('docker');
    for (const way of waysOf({ tcp_info: yes, sock_diag: yes, segments: no, container: true })) if (way.command.includes('run --rm')) expect(way.command).toMatch(/--user 0 --cap-drop ALL --cap-add NET_RAW/u);
  });
});
