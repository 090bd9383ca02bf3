/** What constructors take, checked as Web IDL and the standard have it: whatever is wrong is a TypeError, at once. */

export type DnsQueryType = 'ipv4' | 'ipv6';

export interface TCPSocketOptions {
  sendBufferSize?: number;
  receiveBufferSize?: number;
  noDelay?: boolean;
  keepAliveDelay?: number;
  dnsQueryType?: DnsQueryType;
}

export interface UDPSocketOptions {
  remoteAddress?: string;
  remotePort?: number;
  localAddress?: string;
  localPort?: number;
  sendBufferSize?: number;
  receiveBufferSize?: number;
  dnsQueryType?: DnsQueryType;
  ipv6Only?: boolean;
}

export interface TCPServerSocketOptions {
  localPort?: number;
  backlog?: number;
  ipv6Only?: boolean;
}

/** The payload of OPEN. */
export interface Asked {
  kind: 'tcp' | 'udp' | 'listen' | 'udp-bind';
  host: string;
  port?: number;
  noDelay?: boolean;
  keepAliveDelay?: number;
  sendBufferSize?: number;
  receiveBufferSize?: number;
  backlog?: number;
  ipv6Only?: boolean;
  dnsQueryType?: DnsQueryType;
}

const U16 = 0xffff;
const U32 = 0xffff_ffff;

type Fields = Record<string, unknown>;

/** `[EnforceRange]`. */
function whole(name: string, value: unknown, most: number): number {
  // Of a bigint or a symbol there is no number, which is a TypeError, too.
  const number = Math.trunc(+(value as number));
  if (!(number >= 0 && number <= most)) throw new TypeError(`${name} is not a whole number from 0 to ${String(most)}`);
  // No -0.
  return number + 0;
}

function optional(fields: Fields, name: string, most: number): number | undefined {
  return fields[name] === undefined ? undefined : whole(name, fields[name], most);
}

function dictionary(value: unknown): Fields {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' && typeof value !== 'function') throw new TypeError('the options are no object');
  return value as Fields;
}

function text(name: string, value: unknown): string {
  if (typeof value === 'symbol') throw new TypeError(`${name} is a symbol`);
  return String(value);
}

function queryType(fields: Fields): DnsQueryType | undefined {
  const value = fields.dnsQueryType;
  if (value === undefined) return undefined;
  const name = text('dnsQueryType', value);
  if (name !== 'ipv4' && name !== 'ipv6') throw new TypeError(`${name} is no dnsQueryType`);
  return name;
}

function bufferSizes(fields: Fields): { sendBufferSize?: number; receiveBufferSize?: number } {
  const sizes: { sendBufferSize?: number; receiveBufferSize?: number } = {};
  for (const name of ['sendBufferSize', 'receiveBufferSize'] as const) {
    const size = optional(fields, name, U32);
    if (size === 0) throw new TypeError(`${name} is 0`);
    if (size !== undefined) sizes[name] = size;
  }
  return sizes;
}

/** The family of an address; undefined of a name. */
export function familyOf(host: string): DnsQueryType | undefined {
  const parts = host.split('.');
  if (parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/u.test(part) && Number(part) < 256)) return 'ipv4';
  return unzoned(host) === undefined ? undefined : 'ipv6';
}

/** An IPv6 address as the URL standard writes it, without its zone; undefined of anything else. */
function unzoned(host: string): string | undefined {
  const [address, zone, ...more] = host.split('%');
  if (!/^[\da-f:.]+$/iu.test(address!) || !address!.includes(':') || zone === '' || more.length > 0) return undefined;
  try {
    return new URL(`http://[${address!}]/`).hostname;
  } catch {
    return undefined;
  }
}

function isUnspecified6(host: string): boolean {
  return unzoned(host) === '[::]' && !host.includes('%');
}

function ours(name: string, host: string): string {
  if (familyOf(host) === undefined) throw new TypeError(`${name} is not an IP address`);
  return host;
}

function chosenPort(fields: Fields): number | undefined {
  const port = optional(fields, 'localPort', U16);
  if (port === 0) throw new TypeError('localPort is 0: leave it out to have one chosen');
  return port;
}

function only6(fields: Fields, host: string): boolean | undefined {
  if (fields.ipv6Only === undefined) return undefined;
  if (!isUnspecified6(host)) throw new TypeError('ipv6Only goes with the local address :: only');
  return Boolean(fields.ipv6Only);
}

/** Leaves out what was not given. */
function given<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

type Loose<T> = { [K in keyof T]: T[K] | undefined };

function asked(fields: Loose<Asked>): Asked {
  return given(fields) as Asked;
}

export function tcp(args: readonly unknown[]): Asked {
  if (args.length < 2) throw new TypeError('TCPSocket takes an address and a port');
  const host = text('remoteAddress', args[0]);
  const port = whole('remotePort', args[1], U16);
  const fields = dictionary(args[2]);
  const keepAliveDelay = optional(fields, 'keepAliveDelay', U32);
  if (keepAliveDelay !== undefined && keepAliveDelay < 1000) throw new TypeError('keepAliveDelay is less than 1,000 ms');
  const noDelay = fields.noDelay === undefined ? false : Boolean(fields.noDelay);
  return asked({ kind: 'tcp', host, port, ...bufferSizes(fields), noDelay, keepAliveDelay, dnsQueryType: queryType(fields) });
}

export function udp(args: readonly unknown[]): Asked {
  const fields = dictionary(args[0]);
  const host = fields.remoteAddress === undefined ? undefined : text('remoteAddress', fields.remoteAddress);
  const port = optional(fields, 'remotePort', U16);
  const local = fields.localAddress === undefined ? undefined : text('localAddress', fields.localAddress);
  const localPort = chosenPort(fields);
  const dnsQueryType = queryType(fields);
  const sizes = bufferSizes(fields);
  if (host !== undefined || port !== undefined) {
    if (host === undefined || port === undefined) throw new TypeError('remoteAddress and remotePort go together');
    if (local !== undefined || localPort !== undefined) throw new TypeError('a socket is either connected or bound');
    if (fields.ipv6Only !== undefined) throw new TypeError('ipv6Only goes with the local address :: only');
    return asked({ kind: 'udp', host, port, ...sizes, dnsQueryType });
  }
  if (local === undefined) throw new TypeError(localPort === undefined ? 'give a remote address and port, or a local address' : 'localPort goes with localAddress');
  if (dnsQueryType !== undefined) throw new TypeError('dnsQueryType goes with a remote address only');
  return asked({ kind: 'udp-bind', host: ours('localAddress', local), port: localPort, ...sizes, ipv6Only: only6(fields, local) });
}

export function server(args: readonly unknown[]): Asked {
  if (args.length < 1) throw new TypeError('TCPServerSocket takes an address');
  const host = ours('localAddress', text('localAddress', args[0]));
  const fields = dictionary(args[1]);
  const backlog = optional(fields, 'backlog', U32);
  if (backlog === 0) throw new TypeError('backlog is 0');
  // What is more than the server takes is as much as it takes.
  return asked({ kind: 'listen', host, port: chosenPort(fields), backlog: backlog === undefined ? undefined : Math.min(backlog, U16), ipv6Only: only6(fields, host) });
}

export function isBytes(chunk: unknown): chunk is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer;
}

/** Bytes of a BufferSource, not copied. */
export function bytesOf(chunk: unknown): Uint8Array {
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new TypeError('a chunk is an ArrayBuffer or a view of one');
}

export interface UDPMessage {
  data: BufferSource;
  remoteAddress?: string;
  remotePort?: number;
  dnsQueryType?: DnsQueryType;
}

export interface Datagram {
  readonly data: Uint8Array;
  readonly to: { host: string; port: number; family: DnsQueryType | undefined } | undefined;
}

export function datagram(message: unknown, connected: boolean): Datagram {
  const fields = dictionary(message);
  if (fields.data === undefined) throw new TypeError('a message has data');
  const data = bytesOf(fields.data);
  const host = fields.remoteAddress === undefined ? undefined : text('remoteAddress', fields.remoteAddress);
  const port = optional(fields, 'remotePort', U16);
  const family = queryType(fields);
  if (connected) {
    if (host !== undefined || port !== undefined || family !== undefined) throw new TypeError('the socket has one peer: say no address');
    return { data, to: undefined };
  }
  if (host === undefined || port === undefined) throw new TypeError('say where it goes: remoteAddress and remotePort');
  if (port === 0 || host === '' || new TextEncoder().encode(host).byteLength > 255) throw new TypeError('nothing can be sent to there');
  return { data, to: { host, port, family } };
}

/** `{hostname, port}` or `host:port`. */
export function address(value: unknown): { host: string; port: number } {
  if (typeof value === 'string') {
    const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/u.exec(value);
    if (parts === null) throw new TypeError(`${JSON.stringify(value)} is not host:port`);
    return { host: parts[1] ?? parts[2]!, port: whole('port', parts[3], U16) };
  }
  const fields = dictionary(value);
  if (fields.hostname === undefined || fields.port === undefined) throw new TypeError('say hostname and port');
  return { host: text('hostname', fields.hostname), port: whole('port', fields.port, U16) };
}
