// Direct Sockets from a page of another origin: IPv6, names, and what the kernel says of the options.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';

import { connected, heard, line, listener, rest, sockets } from './support/direct.js';
import { udpPeer } from './support/peers.js';
import { backlog, buffers } from './support/ss.js';
import { eventually } from './support/wait.js';

/** What getsockopt(2) said after an option of a socket was set, by its name. */
async function granted(t, id) {
  const { events } = await t.server.must('GET', '/events?after=0&limit=10000&payload=none');
  const set = events.filter(({ type, socket }) => type === 'option_set' && socket === id);
  return Object.fromEntries(set.map(({ option, granted }) => [option, granted]));
}

/** Connects to a port that something may listen at; answers the socket, or why there is none. */
async function tried(t, host, port) {
  const client = net.connect({ host, port, allowHalfOpen: true });
  t.cleanup(() => client.destroy());
  try {
    await once(client, 'connect');
    return client;
  } catch (error) {
    return error.code;
  }
}

// ---- Options ----

line('TCPSocket: noDelay, keepAliveDelay and the buffer sizes reach the kernel', async (t, { run }) => {
  const accepted = await connected(t, run, { noDelay: true, keepAliveDelay: 1500, sendBufferSize: 40_000, receiveBufferSize: 50_000 });
  const [{ id }] = await sockets(t);
  // It takes whole seconds, and says twice what a buffer was asked to be.
  assert.deepEqual(await granted(t, id), {
    nodelay: 1,
    keepalive: 1,
    keepalive_idle_s: 2,
    keepalive_interval_s: 2,
    send_buffer: 80_000,
    recv_buffer: 100_000,
  });
  const ends = ['sport', '=', `:${accepted.remotePort}`, 'dport', '=', `:${accepted.localPort}`];
  assert.deepEqual(await buffers('-t', ...ends), { send: 80_000, receive: 100_000 });
});

line('TCPSocket: noDelay is off in the kernel unless it was asked for', async (t, { run }) => {
  const peer = await listener(t);
  for (const [options, nodelay] of [[undefined, 0], [{ noDelay: false }, 0], [{ noDelay: true }, 1]]) {
    const localPort = await run(async ([port, options]) => (await new sdk.TCPSocket('127.0.0.1', port, options).opened).localPort, [peer.port, options]);
    const { id } = (await sockets(t)).find(({ local }) => local === `127.0.0.1:${localPort}`);
    assert.deepEqual(await granted(t, id), { nodelay }, JSON.stringify(options));
  }
});

line('UDPSocket: the buffer sizes reach the kernel, connected or bound', async (t, { run }) => {
  const peer = await t.using(udpPeer());
  for (const mode of [{ remoteAddress: '127.0.0.1', remotePort: peer.port }, { localAddress: '127.0.0.1' }]) {
    const localPort = await run(
      async (options) => (await new sdk.UDPSocket(options).opened).localPort,
      { ...mode, sendBufferSize: 30_000, receiveBufferSize: 45_000 },
    );
    // It says twice what was asked.
    assert.deepEqual(await buffers('-ua', 'sport', '=', `:${localPort}`), { send: 60_000, receive: 90_000 }, JSON.stringify(mode));
  }
});

line('TCPServerSocket: backlog reaches the kernel, which takes no more than it has', async (t, { run }) => {
  const most = Math.min(65_535, Number(await readFile('/proc/sys/net/core/somaxconn', 'utf8')));
  for (const [asked, taken] of [[7, 7], [1, 1], [4_294_967_295, most]]) {
    const port = await run(async (backlog) => (await new sdk.TCPServerSocket('127.0.0.1', { backlog }).opened).localPort, asked);
    assert.equal(await backlog(port), taken);
  }
});

line('TCPServerSocket: with ipv6Only a listener on :: is not there for IPv4, and without it is', async (t, { run }) => {
  for (const ipv6Only of [true, false]) {
    const port = await run(async (ipv6Only) => {
      const { readable, localPort, localAddress } = await new sdk.TCPServerSocket('::', { ipv6Only }).opened;
      if (localAddress !== '::') throw new Error(localAddress);
      globalThis.reader = readable.getReader();
      globalThis.next = async () => {
        const { value } = await reader.read();
        const { localAddress, remoteAddress, remotePort } = await value.opened;
        return { localAddress, remoteAddress, remotePort };
      };
      return localPort;
    }, ipv6Only);
    const six = await tried(t, '::1', port);
    assert.deepEqual(await run(() => next()), { localAddress: '::1', remoteAddress: '::1', remotePort: six.localPort });
    const four = await tried(t, '127.0.0.1', port);
    // What is IPv4 has the address that it has for such a socket.
    const mapped = '::ffff:127.0.0.1';
    if (ipv6Only) assert.equal(four, 'ECONNREFUSED');
    else assert.deepEqual(await run(() => next()), { localAddress: mapped, remoteAddress: mapped, remotePort: four.localPort });
  }
});

line('UDPSocket: with ipv6Only a socket on :: gets no datagram of IPv4, and without it does and can answer', async (t, { run }) => {
  const [four, six] = [await t.using(udpPeer()), await t.using(udpPeer('::1'))];
  const senders = [['four', '::ffff:127.0.0.1', four.port], ['six', '::1', six.port]];
  for (const ipv6Only of [true, false]) {
    const port = await run(async (ipv6Only) => {
      globalThis.info = await new sdk.UDPSocket({ localAddress: '::', ipv6Only }).opened;
      return info.localPort;
    }, ipv6Only);
    // On one machine datagrams come in the order they were sent in: with the second here, the first would be.
    await four.send('four', `127.0.0.1:${port}`);
    await six.send('six', `[::1]:${port}`);
    const expected = ipv6Only ? senders.slice(1) : senders;
    const came = await run(async (count) => {
      const [reader, writer] = [info.readable.getReader(), info.writable.getWriter()];
      const came = [];
      while (came.length < count) {
        const { value } = await reader.read();
        await writer.write({ ...value, data: bytes('answer') });
        came.push([text(value.data), value.remoteAddress, value.remotePort]);
      }
      return came;
    }, expected.length);
    assert.deepEqual(came, expected);
    const answered = ipv6Only ? [six] : [four, six];
    await eventually('the answers came', () => answered.every(({ received }) => received.some(({ text, from }) => text === 'answer' && from.endsWith(`:${port}`))));
  }
});

// ---- IPv6 ----

line('TCPSocket: an IPv6 address has brackets or none, and bytes go both ways', async (t, { run }) => {
  const peer = await listener(t, '::1');
  for (const host of ['::1', '[::1]', '0:0::1']) {
    const info = await run(
      async ([host, port]) => {
        globalThis.info = await new sdk.TCPSocket(host, port).opened;
        const { readable, writable, ...ends } = info;
        await writable.getWriter().write(bytes('six'));
        return ends;
      },
      [host, peer.port],
    );
    const accepted = await peer.accepted();
    assert.deepEqual(info, { remoteAddress: '::1', remotePort: peer.port, localAddress: '::1', localPort: accepted.remotePort });
    assert.equal(await heard(accepted, 3), 'six');
    accepted.end('and back');
    assert.equal(await run(() => all(info.readable)), 'and back');
  }
});

line('UDPSocket, connected: to an IPv6 address', async (t, { run }) => {
  const peer = await t.using(udpPeer('::1'));
  for (const host of ['::1', '[::1]']) {
    const info = await run(
      async ([host, port]) => {
        globalThis.info = await new sdk.UDPSocket({ remoteAddress: host, remotePort: port }).opened;
        const { readable, writable, ...ends } = info;
        await writable.getWriter().write({ data: bytes('six') });
        return ends;
      },
      [host, peer.port],
    );
    await eventually('it came', () => peer.received.length === 1);
    const [{ text, from }] = peer.received.splice(0);
    assert.equal(text, 'six');
    assert.deepEqual(info, { remoteAddress: '::1', remotePort: peer.port, localAddress: '::1', localPort: Number(from.slice('[::1]:'.length)) });
    await peer.send('back', from);
    assert.equal(await run(async () => globalThis.text((await info.readable.getReader().read()).value.data)), 'back');
  }
});

line('UDPSocket, bound: on an IPv6 address, and messages say it as they are to say it', async (t, { run }) => {
  const peer = await t.using(udpPeer('::1'));
  const info = await run(async () => {
    globalThis.info = await new sdk.UDPSocket({ localAddress: '::1' }).opened;
    globalThis.writer = info.writable.getWriter();
    const { localAddress, localPort } = info;
    return { localAddress, localPort };
  });
  assert.equal(info.localAddress, '::1');
  for (const remoteAddress of ['::1', '[::1]']) {
    await run(([remoteAddress, remotePort]) => writer.write({ data: bytes('six'), remoteAddress, remotePort }), [remoteAddress, peer.port]);
    await eventually('it came', () => peer.received.length === 1);
    assert.deepEqual(peer.received.splice(0), [{ text: 'six', from: `[::1]:${info.localPort}` }]);
  }
  await peer.send('back', `[::1]:${info.localPort}`);
  const message = await run(async () => {
    const { value } = await info.readable.getReader().read();
    return { ...value, data: text(value.data) };
  });
  assert.deepEqual(message, { data: 'back', remoteAddress: '::1', remotePort: peer.port });
});

line('TCPServerSocket: on an IPv6 address, which has no brackets', async (t, { run }) => {
  const info = await run(async () => {
    const { readable, ...ends } = await new sdk.TCPServerSocket('::1').opened;
    globalThis.reader = readable.getReader();
    return ends;
  });
  assert.equal(info.localAddress, '::1');
  const client = await tried(t, '::1', info.localPort);
  const ends = await run(async () => {
    const { value } = await reader.read();
    const { writable, readable, ...ends } = await value.opened;
    const writer = writable.getWriter();
    await writer.write(bytes('six'));
    await writer.close();
    return ends;
  });
  assert.deepEqual(ends, { ...info, remoteAddress: '::1', remotePort: client.localPort });
  assert.equal(await rest(client), 'six');
  const wrong = await run(() =>
    [() => new sdk.TCPServerSocket('[::1]'), () => new sdk.UDPSocket({ localAddress: '[::1]' })].map((made) => {
      try {
        return String(made());
      } catch (error) {
        return error.name;
      }
    }));
  assert.deepEqual(wrong, ['TypeError', 'TypeError']);
});

// ---- Names ----

line('dnsQueryType chooses the family of a name that has both', async (t, { run }) => {
  // Takes both, and sees which.
  const peer = await listener(t, '::');
  const datagrams = await t.using(udpPeer('::'));
  for (const [dnsQueryType, address, seen] of [['ipv4', '127.0.0.1', '::ffff:127.0.0.1'], ['ipv6', '::1', '::1']]) {
    const infos = await run(
      async ([tcp, udp, dnsQueryType]) => {
        const stream = await new sdk.TCPSocket('localhost', tcp, { dnsQueryType }).opened;
        const connected = await new sdk.UDPSocket({ remoteAddress: 'localhost', remotePort: udp, dnsQueryType }).opened;
        await connected.writable.getWriter().write({ data: bytes('which?') });
        return [stream, connected].map(({ remoteAddress, localAddress }) => ({ remoteAddress, localAddress }));
      },
      [peer.port, datagrams.port, dnsQueryType],
    );
    for (const info of infos) assert.deepEqual(info, { remoteAddress: address, localAddress: address });
    assert.equal((await peer.accepted()).remoteAddress, seen);
    await eventually('it came', () => datagrams.received.length === 1);
    const [{ from }] = datagrams.received.splice(0);
    assert.equal(from.replace(/:\d+$/, ''), `[${seen}]`);
  }
});

line("UDPSocket, bound: a message's dnsQueryType chooses the family of its name", async (t, { run }) => {
  for (const [localAddress, speaks, other] of [['127.0.0.1', 'ipv4', 'ipv6'], ['::1', 'ipv6', 'ipv4']]) {
    const peer = await t.using(udpPeer(localAddress));
    const outcome = await run(
      async ([localAddress, remotePort, speaks, other]) => {
        const { writable } = await new sdk.UDPSocket({ localAddress }).opened;
        const writer = writable.getWriter();
        const to = { remoteAddress: 'localhost', remotePort };
        await writer.write({ ...to, data: bytes('its own'), dnsQueryType: speaks });
        // That it did not go is told after the write.
        await writer.write({ ...to, data: bytes('the other'), dnsQueryType: other });
        return failed(writer.closed);
      },
      [localAddress, peer.port, speaks, other],
    );
    assert.deepEqual([outcome.name, outcome.code], ['NetworkError', 'wrong_family']);
    await eventually('the first came', () => peer.received.length === 1);
    assert.equal(peer.received[0].text, 'its own');
  }
});

line('dnsQueryType leaves no other family to fall back to', async (t, { run }) => {
  for (const [host, has, other] of [['127.0.0.1', 'ipv4', 'ipv6'], ['::1', 'ipv6', 'ipv4']]) {
    const peer = await listener(t, host);
    const [any, there, none] = await run(
      async ([port, has, other]) => {
        const opened = (options) => new sdk.TCPSocket('localhost', port, options).opened;
        const address = async (options) => (await opened(options)).remoteAddress;
        return [await address({}), await address({ dnsQueryType: has }), await failed(opened({ dnsQueryType: other }))];
      },
      [peer.port, has, other],
    );
    assert.deepEqual([any, there], [host, host], 'without it whatever is there is found');
    assert.deepEqual([none.name, none.errno, none.phase], ['NetworkError', 'ECONNREFUSED', 'connect']);
  }
});
