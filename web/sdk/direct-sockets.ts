/**
 * Direct Sockets for any page: `TCPSocket`, `UDPSocket` and `TCPServerSocket` with the shape of WICG Direct Sockets, and `connect()`
 * with that of server-side runtimes, through sockscope. What the standard hides, `errno`, `phase` and `code`, is an extra property of
 * each error.
 */

import { type ChannelOptions, use } from './channel.js';
import { TCPServerSocket } from './server.js';
import { TCPSocket } from './tcp.js';
import { UDPSocket } from './udp.js';

export type { ChannelOptions, SocketError } from './channel.js';
export type { DnsQueryType, TCPServerSocketOptions, TCPSocketOptions, UDPMessage, UDPSocketOptions } from './checks.js';
export { connect, type ConnectOptions, type Socket, type SocketAddress, type SocketInfo } from './connect.js';
export { TCPServerSocket, type TCPServerSocketOpenInfo } from './server.js';
export { TCPSocket, type TCPSocketOpenInfo } from './tcp.js';
export { UDPSocket, type UDPReceived, type UDPSocketOpenInfo } from './udp.js';

/** Where the channel is, and whether the classes are to be put where a browser that has them puts them. */
export interface InstallOptions extends ChannelOptions {
  globals?: boolean;
}

/** Says where the channel is. Sockets that are open stay where they are. */
export function install({ globals = false, ...options }: InstallOptions = {}): void {
  use(options);
  if (globals) Object.assign(globalThis, { TCPSocket, UDPSocket, TCPServerSocket });
}
