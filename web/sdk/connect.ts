/** `connect()`, with the shape it has in server-side runtimes. */

import { channel, failure } from './channel.js';
import * as checks from './checks.js';
import { Duplex } from './duplex.js';
import { Later } from './ways.js';

export interface SocketAddress {
  hostname: string;
  port: number;
}

export interface ConnectOptions {
  /** Whether writing goes on when the peer has ended its way. */
  allowHalfOpen?: boolean;
  /** Nothing but `off` is to be had. */
  secureTransport?: 'off';
}

/** `host:port`, with brackets around the host where it is IPv6. */
export interface SocketInfo {
  remoteAddress: string;
  localAddress: string;
}

/** What `connect` gives. */
export interface Socket {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<BufferSource>;
  readonly opened: Promise<SocketInfo>;
  readonly closed: Promise<undefined>;
  readonly upgraded: false;
  readonly secureTransport: 'off';
  /** Ends both ways, after what was written. */
  close(): Promise<undefined>;
}

function at(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${String(port)}` : `${host}:${String(port)}`;
}

/** Connects; the streams are there at once. */
export function connect(address: SocketAddress | string, { allowHalfOpen = false, secureTransport = 'off' }: ConnectOptions = {}): Socket {
  if ((secureTransport as string) !== 'off') throw new TypeError('there is no TLS here');
  const { host, port } = checks.address(address);
  const asked = checks.tcp([host, port]);
  const opened = new Later<SocketInfo>();
  const through = channel();
  const duplex = new Duplex(through);
  if (!allowHalfOpen) duplex.onfin = () => void duplex.finish().catch(() => undefined);
  const listener = duplex.listener(
    ({ remoteAddress, remotePort, localAddress, localPort }) => {
      opened.resolve({ remoteAddress: at(remoteAddress!, remotePort!), localAddress: at(localAddress, localPort) });
    },
    (error) => {
      // Nothing, where it was open.
      opened.reject(error ?? failure({ code: 'closed', detail: 'the socket was closed' }));
    },
  );
  duplex.start(through.open(asked, listener));
  return {
    readable: duplex.readable,
    writable: duplex.writable,
    opened: opened.promise,
    closed: duplex.closed,
    upgraded: false,
    secureTransport: 'off',
    close: async () => {
      // Where writing has ended, that is done.
      await duplex.finish().catch(() => undefined);
      duplex.leave();
      return duplex.closed;
    },
  };
}
