// The other end of a conversation, without anything of sockscope in it.

import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';

/** A host as it stands in front of a port. */
const inUrl = (host) => (host.includes(':') ? `[${host}]` : host);

/** A TCP server on a free port of `host`; `onConnection` gets each raw socket. */
export async function tcpServer(onConnection = () => {}, host = '127.0.0.1') {
  const sockets = new Set();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // A reset is for the test to see on the page, not a failure here.
    onConnection(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address();
  return {
    port,
    target: `tcp://${inUrl(host)}:${port}`,
    sockets,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A TCP client that keeps what it receives. */
export async function tcpClient(address) {
  const [, host, port] = /^(.*):(\d+)$/.exec(address);
  const socket = net.connect({ host, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => {});
  const received = [];
  socket.on('data', (chunk) => received.push(chunk));
  await once(socket, 'connect');
  return {
    local: `${socket.localAddress}:${socket.localPort}`,
    send: (bytes) => new Promise((resolve) => socket.write(bytes, resolve)),
    get text() {
      return Buffer.concat(received).toString();
    },
    close: () => socket.destroy(),
  };
}

/** A UDP socket on a free port of `host` that keeps what it receives. */
export async function udpPeer(host = '127.0.0.1') {
  const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const received = [];
  socket.on('message', (message, from) => received.push({ text: message.toString(), from: `${inUrl(from.address)}:${from.port}` }));
  socket.bind(0, host);
  await once(socket, 'listening');
  const { port } = socket.address();
  return {
    port,
    address: `${inUrl(host)}:${port}`,
    received,
    send(bytes, to) {
      const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(to);
      return new Promise((resolve, reject) =>
        socket.send(bytes, Number(port), host, (error) => (error ? reject(error) : resolve())),
      );
    },
    close: () => socket.close(),
  };
}

/** A UDP socket on a free loopback port that sends back what it receives. */
export async function udpEcho() {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (message, from) => socket.send(message, from.port, from.address));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { port: socket.address().port, close: () => socket.close() };
}

/**
 * A TCP port that completes no handshake: its program is stopped and its backlog is full, so whoever connects waits.
 * `t` is the test, at whose end it goes.
 */
export async function silentPort(t) {
  const program = "const s=require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},()=>{console.log(s.address().port);process.kill(process.pid,'SIGSTOP')})";
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.cleanup(() => child.kill('SIGKILL'));
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const port = Number(line);
  for (;;) {
    const filler = net.connect(port, '127.0.0.1').on('error', () => {});
    t.cleanup(() => filler.destroy());
    // The one that does not come through says that the backlog is full.
    const through = await Promise.race([once(filler, 'connect').then(() => true), new Promise((r) => setTimeout(r, 300, false))]);
    if (!through) return port;
  }
}

/** A loopback port that nobody listens on: it was free a moment ago. */
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
