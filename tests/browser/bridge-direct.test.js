// Direct Sockets from a page of another origin, in a real browser: each line of the standard's shape.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';

import { connected, heard, line, listener, rest, sockets } from './support/direct.js';
import { udpPeer } from './support/peers.js';
import { eventually, within } from './support/wait.js';

// ---- TCPSocket ----

line('TCPSocket: the constructor is synchronous, and what is wrong is a TypeError at once', async (t, { run }) => {
  const names = await run(() => {
    const wrong = [
      [],
      ['127.0.0.1'],
      ['127.0.0.1', -1],
      ['127.0.0.1', 65_536],
      ['127.0.0.1', Number.NaN],
      ['127.0.0.1', 1, { keepAliveDelay: 999 }],
      ['127.0.0.1', 1, { sendBufferSize: 0 }],
      ['127.0.0.1', 1, { receiveBufferSize: 0 }],
      ['127.0.0.1', 1, { dnsQueryType: 'ipv5' }],
      ['127.0.0.1', 1, 7],
    ];
    return wrong.map((given) => {
      try {
        return `made with ${JSON.stringify(given)}: ${String(new sdk.TCPSocket(...given))}`;
      } catch (error) {
        return error.name;
      }
    });
  });
  assert.deepEqual(new Set(names), new Set(['TypeError']));
  assert.deepEqual(await sockets(t), [], 'nothing was opened');
});

line('TCPSocket: opened gives both streams and both addresses, the remote one resolved', async (t, { run }) => {
  const peer = await listener(t);
  const info = await run(async (port) => {
    globalThis.socket = new sdk.TCPSocket('localhost', port, { dnsQueryType: 'ipv4' });
    const { readable, writable, ...ends } = await socket.opened;
    return { ...ends, readable: readable instanceof ReadableStream, writable: writable instanceof WritableStream };
  }, peer.port);
  const accepted = await peer.accepted();
  assert.deepEqual(info, {
    readable: true,
    writable: true,
    remoteAddress: '127.0.0.1',
    remotePort: peer.port,
    localAddress: '127.0.0.1',
    localPort: accepted.remotePort,
  });
});

line('TCPSocket: readable is a byte stream, for default readers and for those that bring a buffer', async (t, { run }) => {
  const accepted = await connected(t, run);
  accepted.write('default');
  const first = await run(async () => {
    const reader = info.readable.getReader();
    let said = '';
    while (said.length < 7) {
      const { value } = await reader.read();
      if (!(value instanceof Uint8Array)) throw new Error('no Uint8Array');
      said += text(value);
    }
    reader.releaseLock();
    return said;
  });
  assert.equal(first, 'default');
  accepted.write('bring your own buffer');
  const pieces = await run(async () => {
    const reader = info.readable.getReader({ mode: 'byob' });
    let buffer = new ArrayBuffer(8);
    const pieces = [];
    while (pieces.join('').length < 21) {
      const { value } = await reader.read(new Uint8Array(buffer));
      if (value.byteLength > 8 || buffer.byteLength !== 0) throw new Error('not the buffer that was brought');
      pieces.push(text(value));
      buffer = value.buffer;
    }
    reader.releaseLock();
    return pieces;
  });
  assert.equal(pieces.join(''), 'bring your own buffer');
  accepted.end();
  const last = await run(async () => {
    const reader = info.readable.getReader({ mode: 'byob' });
    const { done, value } = await reader.read(new Uint8Array(8));
    return { done, left: value.byteLength, buffer: value.buffer.byteLength };
  });
  assert.deepEqual(last, { done: true, left: 0, buffer: 8 }, 'at the end the buffer comes back');
});

line("TCPSocket: a peer's odd byte in a reader's wider array ends that stream as the standard has it, and nothing else", async (t, { run }) => {
  const accepted = await connected(t, run);
  const other = await listener(t);
  await run(async (port) => {
    globalThis.other = new sdk.TCPSocket('127.0.0.1', port);
    await other.opened;
    globalThis.reading = failed(info.readable.getReader({ mode: 'byob' }).read(new Uint16Array(4)));
  }, other.port);
  accepted.end('1');
  assert.equal((await run(() => reading)).name, 'TypeError');
  await run(async () => {
    await info.writable.close();
    await socket.closed;
  });
  assert.equal(await rest(accepted), '');
  (await other.accepted()).end();
  await run(async () => {
    const { readable, writable } = await other.opened;
    await all(readable);
    await writable.close();
    await other.closed;
  });
});

line("TCPSocket: the peer's FIN closes readable, and writing goes on", async (t, { run }) => {
  const accepted = await connected(t, run);
  accepted.end('all of it');
  assert.equal(await run(() => all(info.readable)), 'all of it');
  await run(async () => {
    globalThis.writer = info.writable.getWriter();
    await writer.write(bytes('and mine'));
    await writer.close();
  });
  assert.equal(await rest(accepted), 'and mine');
  assert.equal(await run(() => socket.closed), undefined);
});

line("TCPSocket: the peer's FIN is known without reading", async (t, { run }) => {
  const accepted = await connected(t, run);
  accepted.end();
  await run(async () => {
    await info.writable.close();
    await socket.closed;
  });
  assert.equal(await rest(accepted), '');
});

line('TCPSocket: writer.close() is a FIN, and reading goes on', async (t, { run }) => {
  const accepted = await connected(t, run);
  await run(async () => {
    const writer = info.writable.getWriter();
    writer.write(bytes('one '));
    writer.write(bytes('two'));
    await writer.close();
  });
  assert.equal(await rest(accepted), 'one two');
  accepted.end('later');
  assert.equal(await run(() => all(info.readable)), 'later');
  assert.equal(await run(() => socket.closed), undefined);
});

line('TCPSocket: writable.abort() is a FIN, also while a write waits for the peer, and reading goes on', async (t, { run }) => {
  const accepted = await connected(t, run);
  const outcome = await run(async () => {
    const writer = info.writable.getWriter();
    const written = failed(writer.write(new Uint8Array(64 << 20)));
    await Promise.race([written, new Promise((resolve) => setTimeout(resolve, 200))]);
    await writer.abort();
    return written;
  });
  assert.equal(outcome.name, 'AbortError', 'what was not sent is not said to be');
  await rest(accepted);
  assert.ok(accepted.bytesRead < 64 << 20);
  accepted.end('still here');
  assert.equal(await run(() => all(info.readable)), 'still here');
});

line('TCPSocket: readable.cancel() leaves writing, and the peer is not held up', async (t, { run }) => {
  const accepted = await connected(t, run);
  await run(() => info.readable.cancel());
  const flood = Buffer.alloc(8 << 20, 7);
  accepted.write(flood);
  // Closed before it is read, it would be reset.
  await eventually('all of it is taken', async () => (await sockets(t))[0].counters.received_bytes === flood.length);
  await run(async () => {
    globalThis.writer = info.writable.getWriter();
    await writer.write(bytes('still'));
  });
  assert.equal(await heard(accepted, 5), 'still');
  await run(() => writer.close());
  await rest(accepted);
  assert.equal(await run(() => socket.closed), undefined, 'with neither way left it is closed');
});

line('TCPSocket: a reset errors both streams and closed with NetworkError, and says ECONNRESET', async (t, { run }) => {
  const accepted = await connected(t, run);
  await run(() => {
    globalThis.reader = info.readable.getReader();
    globalThis.writer = info.writable.getWriter();
    globalThis.outcomes = Promise.all([failed(reader.read()), failed(writer.closed), failed(socket.closed)]);
  });
  accepted.resetAndDestroy();
  for (const outcome of await run(() => outcomes)) {
    assert.deepEqual(outcome, { name: 'NetworkError', isDOMException: true, errno: 'ECONNRESET', phase: 'receive', code: 'reset' });
  }
  assert.equal((await run(() => failed(writer.write(bytes('x'))))).name, 'NetworkError');
});

line('TCPSocket: writable takes any BufferSource; anything else is a TypeError, and ends it', async (t, { run }) => {
  const accepted = await connected(t, run);
  await run(async () => {
    globalThis.writer = info.writable.getWriter();
    const buffer = bytes('0123456789').buffer;
    await writer.write(buffer);
    await writer.write(new DataView(buffer, 2, 3));
    await writer.write(new Uint16Array(buffer, 4, 2));
    await writer.write(new Uint8Array());
  });
  assert.equal(await heard(accepted, 17), '01234567892344567');
  const outcome = await run(() => failed(writer.write('a string')));
  assert.equal(outcome.name, 'TypeError');
  assert.equal(await rest(accepted), '');
  accepted.end();
  assert.equal((await run(() => failed(socket.closed))).name, 'TypeError');
});

line('TCPSocket: close() is InvalidStateError before it is open and while a stream is locked, and else ends both ways', async (t, { run }) => {
  const peer = await listener(t);
  const early = await run((port) => {
    globalThis.socket = new sdk.TCPSocket('127.0.0.1', port);
    return failed(socket.close());
  }, peer.port);
  assert.equal(early.name, 'InvalidStateError');
  const accepted = await peer.accepted();
  const names = await run(async () => {
    globalThis.info = await socket.opened;
    const reader = info.readable.getReader();
    const first = await failed(socket.close());
    reader.releaseLock();
    const writer = info.writable.getWriter();
    const second = await failed(socket.close());
    await writer.write(bytes('bye'));
    writer.releaseLock();
    return [first.name, second.name];
  });
  assert.deepEqual(names, ['InvalidStateError', 'InvalidStateError']);
  assert.equal(await run(() => socket.close()), undefined);
  assert.equal(await rest(accepted), 'bye', 'what was written before has gone');
  await eventually('the log has it closed', async () => (await sockets(t))[0].state === 'closed');
});

/** The first event of the log that is like that. */
async function logged(t, like) {
  return eventually(`the log has ${JSON.stringify(like)}`, async () => {
    const { events } = await t.server.must('GET', '/events?after=0&limit=10000&payload=none');
    return events.find((event) => Object.entries(like).every(([field, value]) => event[field] === value)) ?? false;
  });
}

line('TCPSocket: close() sends what is on its way, and discards what still waits for credits', async (t, { run }) => {
  const accepted = await connected(t, run);
  const TOTAL = 64 << 20;
  const outcomes = await run(async (total) => {
    const writer = info.writable.getWriter();
    await writer.write(bytes('written'));
    const under = failed(writer.write(new Uint8Array(total)));
    const queued = failed(writer.write(bytes('behind it')));
    writer.releaseLock();
    await socket.close();
    return [await under, await queued, await failed(info.writable.getWriter().closed)];
  }, TOTAL);
  assert.deepEqual(outcomes.map(({ name }) => name), ['AbortError', 'AbortError', 'AbortError']);
  const { reason, counters, unsent_bytes } = await logged(t, { type: 'closed' });
  assert.deepEqual([reason, unsent_bytes], ['client_closed', 0]);
  const begun = counters.sent_bytes - 'written'.length;
  assert.ok(begun >= 0 && begun < TOTAL, `${begun} bytes of ${TOTAL} went`);
  assert.equal(await rest(accepted), `written${'\0'.repeat(begun)}`, 'the peer has what was sent, and then the FIN');
});

line('TCPSocket: close() waits for a peer that does not read only so long, and the log has how much was not sent', async (t, { run }) => {
  const accepted = await connected(t, run);
  const TOTAL = 64 << 20;
  await run((total) => {
    const writer = info.writable.getWriter();
    globalThis.written = failed(writer.write(new Uint8Array(total)));
    writer.releaseLock();
  }, TOTAL);
  await logged(t, { type: 'paused', reason: 'peer_not_reading' });
  assert.equal(await run(() => socket.close()), undefined);
  assert.equal((await run(() => written)).name, 'AbortError');
  const { reason, counters, unsent_bytes } = await logged(t, { type: 'closed' });
  assert.equal(reason, 'client_closed');
  assert.ok(unsent_bytes > 0 && unsent_bytes <= 262_144, `${unsent_bytes} bytes waited, of at most a window`);
  await rest(accepted);
  assert.equal(accepted.bytesRead, counters.sent_bytes, 'the peer has what the kernel had, and then the FIN');
  assert.ok(counters.sent_bytes < TOTAL);
});

line('TCPSocket: what cannot be opened rejects opened and closed, with errno and phase', async (t, { run }) => {
  const peer = await listener(t);
  peer.close();
  const outcomes = await run((port) => {
    const socket = new sdk.TCPSocket('127.0.0.1', port);
    return Promise.all([failed(socket.opened), failed(socket.closed)]);
  }, peer.port);
  for (const outcome of outcomes) {
    assert.deepEqual(outcome, { name: 'NetworkError', isDOMException: true, errno: 'ECONNREFUSED', phase: 'connect', code: 'refused' });
  }
  const unknown = await run(() => failed(new sdk.TCPSocket('nowhere.invalid', 80).opened));
  assert.deepEqual([unknown.name, unknown.phase], ['NetworkError', 'resolve']);
});

// ---- Backpressure ----

line('backpressure: a peer that does not read holds desiredSize down until it does', async (t, { run }) => {
  const accepted = await connected(t, run);
  accepted.pause();
  const TOTAL = 24 << 20;
  await run((total) => {
    globalThis.sent = 0;
    globalThis.writer = info.writable.getWriter();
    globalThis.writing = (async () => {
      const piece = new Uint8Array(48_000);
      for (; sent < total; sent += piece.length) {
        await writer.ready;
        for (let i = 0; i < piece.length; i += 1) piece[i] = (sent + i) % 251;
        writer.write(piece.slice()).catch(() => {});
      }
      await writer.close();
    })();
  }, TOTAL);
  const sent = () => run(() => sent);
  // It stands still where both kernels' buffers and the window are full, which takes no time worth mentioning.
  let before = -1;
  await eventually('the writer stands still', async () => {
    const now = await sent();
    const stands = now === before;
    before = now;
    if (!stands) await new Promise((resolve) => setTimeout(resolve, 200));
    return stands;
  });
  assert.ok(before < TOTAL, `${before} bytes were taken of ${TOTAL}`);
  assert.ok((await run(() => writer.desiredSize)) <= 0);
  let read = 0;
  let wrong = -1;
  accepted.on('data', (chunk) => {
    for (const byte of chunk) {
      if (byte !== read % 251 && wrong < 0) wrong = read;
      read += 1;
    }
  });
  accepted.resume();
  await within('the rest and the FIN come', once(accepted, 'end'));
  await run(() => writing);
  assert.equal(wrong, -1, 'every byte is where it was');
  assert.equal(read, await sent());
});

line('backpressure: a page that does not read holds up the peer, and no other socket', async (t, { run }) => {
  const accepted = await connected(t, run);
  const TOTAL = 24 << 20;
  const flood = Buffer.alloc(TOTAL);
  for (let i = 0; i < TOTAL; i += 1) flood[i] = i % 251;
  accepted.end(flood);
  let before = -1;
  const taken = async () => (await sockets(t))[0].counters.received_bytes;
  await eventually('the peer stands still', async () => {
    const now = await taken();
    const stands = now === before && now > 0;
    before = now;
    if (!stands) await new Promise((resolve) => setTimeout(resolve, 400));
    return stands;
  });
  assert.ok(before <= 256 << 10, `${before} bytes are a window at most`);
  const other = await listener(t);
  await run(async (port) => {
    const { writable } = await new sdk.TCPSocket('127.0.0.1', port).opened;
    await writable.getWriter().write(bytes('not held up'));
  }, other.port);
  assert.equal(await heard(await other.accepted(), 11), 'not held up');
  const digest = await run(async () => {
    const chunks = [];
    for await (const chunk of info.readable) chunks.push(chunk);
    const hash = await crypto.subtle.digest('SHA-256', await new Blob(chunks).arrayBuffer());
    return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  });
  assert.equal(digest, createHash('sha256').update(flood).digest('hex'));
});

// ---- UDPSocket ----

line('UDPSocket: the constructor tells the two modes apart, and what is wrong is a TypeError at once', async (t, { run }) => {
  const names = await run(() => {
    const wrong = [
      undefined,
      {},
      { remoteAddress: '127.0.0.1' },
      { remotePort: 9 },
      { remoteAddress: '127.0.0.1', remotePort: 9, localAddress: '127.0.0.1' },
      { remoteAddress: '127.0.0.1', remotePort: 9, ipv6Only: true },
      { localPort: 9000 },
      { localAddress: 'localhost' },
      { localAddress: '127.0.0.1', localPort: 0 },
      { localAddress: '127.0.0.1', ipv6Only: true },
      { localAddress: '127.0.0.1', dnsQueryType: 'ipv4' },
      { localAddress: '127.0.0.1', sendBufferSize: 0 },
      { localAddress: '127.0.0.1', receiveBufferSize: 0 },
      { remoteAddress: '127.0.0.1', remotePort: 9, receiveBufferSize: 0 },
    ];
    return wrong.map((given) => {
      try {
        return `made with ${JSON.stringify(given)}: ${String(new sdk.UDPSocket(given))}`;
      } catch (error) {
        return error.name;
      }
    });
  });
  assert.deepEqual(new Set(names), new Set(['TypeError']));
  assert.deepEqual(await sockets(t), []);
});

line('UDPSocket, connected: messages have no address, and are datagrams each', async (t, { run }) => {
  const peer = await t.using(udpPeer());
  const { port } = peer;
  const info = await run(async (port) => {
    globalThis.socket = new sdk.UDPSocket({ remoteAddress: 'localhost', remotePort: port, dnsQueryType: 'ipv4' });
    globalThis.info = await socket.opened;
    globalThis.writer = info.writable.getWriter();
    globalThis.reader = info.readable.getReader();
    await writer.write({ data: bytes('one') });
    await writer.write({ data: new ArrayBuffer(0) });
    await writer.write({ data: new DataView(bytes('three').buffer) });
    const { readable, writable, ...ends } = info;
    return ends;
  }, port);
  await eventually('three came', () => peer.received.length === 3);
  assert.deepEqual(peer.received.map(({ text }) => text), ['one', '', 'three']);
  assert.deepEqual(info, { remoteAddress: '127.0.0.1', remotePort: port, localAddress: '127.0.0.1', localPort: Number(peer.received[0].from.split(':')[1]) });
  await peer.send('back', peer.received[0].from);
  const message = await run(async () => {
    const { value } = await reader.read();
    return { ...value, data: text(value.data), isBytes: value.data instanceof Uint8Array };
  });
  assert.deepEqual(message, { data: 'back', isBytes: true });
});

line('UDPSocket, connected: a message that says where it goes is a TypeError, and is not sent', async (t, { run }) => {
  const peer = await t.using(udpPeer());
  const { port } = peer;
  const places = [
    { remoteAddress: '127.0.0.1' },
    { remotePort: port },
    { remoteAddress: '127.0.0.1', remotePort: port },
    { dnsQueryType: 'ipv4' },
  ];
  for (const place of places) {
    const outcomes = await run(
      async ([port, place]) => {
        const socket = new sdk.UDPSocket({ remoteAddress: '127.0.0.1', remotePort: port });
        const { readable, writable } = await socket.opened;
        const writer = writable.getWriter();
        await writer.write({ data: bytes('no place'), remoteAddress: undefined, remotePort: undefined, dnsQueryType: undefined });
        const written = await failed(writer.write({ data: bytes('a place'), ...place }));
        const next = await failed(writer.write({ data: bytes('behind it') }));
        await readable.cancel();
        return [written, next, await failed(socket.closed)].map(({ name }) => name);
      },
      [port, place],
    );
    assert.deepEqual(outcomes, ['TypeError', 'TypeError', 'TypeError'], JSON.stringify(place));
  }
  // What was sent came, and in its order: each socket is closed behind it.
  await eventually('the others came', () => peer.received.length === places.length);
  assert.deepEqual(new Set(peer.received.map(({ text }) => text)), new Set(['no place']));
});

line('UDPSocket, bound: messages have the sender, and need an address or a name', async (t, { run }) => {
  const [one, two] = [await t.using(udpPeer()), await t.using(udpPeer())];
  const info = await run(async () => {
    globalThis.socket = new sdk.UDPSocket({ localAddress: '127.0.0.1' });
    globalThis.info = await socket.opened;
    globalThis.writer = info.writable.getWriter();
    globalThis.reader = info.readable.getReader();
    const { readable, writable, ...ends } = info;
    return ends;
  });
  assert.deepEqual(Object.keys(info).sort(), ['localAddress', 'localPort']);
  const local = `127.0.0.1:${info.localPort}`;
  for (const [peer, name] of [[one, '127.0.0.1'], [two, 'localhost']]) {
    await peer.send('hello', local);
    const sender = await run(async () => {
      const { value } = await reader.read();
      return `${value.remoteAddress}:${value.remotePort} ${text(value.data)}`;
    });
    assert.equal(sender, `${peer.address} hello`);
    await run(
      ([name, port]) => writer.write({ data: bytes('hello to you'), remoteAddress: name, remotePort: port, ...(name === 'localhost' ? { dnsQueryType: 'ipv4' } : {}) }),
      [name, peer.port],
    );
    await eventually('an answer came', () => peer.received.length === 1);
    assert.deepEqual(peer.received, [{ text: 'hello to you', from: local }]);
  }
  const outcome = await run(() => failed(writer.write({ data: bytes('x') })));
  assert.equal(outcome.name, 'TypeError');
});

line('UDPSocket: a datagram that did not go errors the writable, and reading goes on', async (t, { run }) => {
  const peer = await t.using(udpPeer());
  const outcome = await run(async (port) => {
    globalThis.socket = new sdk.UDPSocket({ remoteAddress: '127.0.0.1', remotePort: port });
    globalThis.info = await socket.opened;
    const writer = info.writable.getWriter();
    await writer.write({ data: bytes('fits') });
    // More than IPv4 takes: the kernel says so.
    await writer.write({ data: new Uint8Array(65_508) }).catch(() => {});
    return failed(writer.closed);
  }, peer.port);
  assert.deepEqual(outcome, { name: 'NetworkError', isDOMException: true, errno: 'EMSGSIZE', phase: 'send', code: 'message_too_long' });
  await eventually('the first came', () => peer.received.length === 1);
  await peer.send('still', peer.received[0].from);
  assert.equal(await run(async () => text((await info.readable.getReader().read()).value.data)), 'still');
});

line('UDPSocket: close() is InvalidStateError early or locked, and else closes, after what was written', async (t, { run }) => {
  const peer = await t.using(udpPeer());
  const names = await run(async (port) => {
    const socket = new sdk.UDPSocket({ remoteAddress: '127.0.0.1', remotePort: port });
    const early = await failed(socket.close());
    const { readable, writable } = await socket.opened;
    const reader = readable.getReader();
    const locked = await failed(socket.close());
    reader.releaseLock();
    const writer = writable.getWriter();
    for (let i = 0; i < 200; i += 1) writer.write({ data: bytes(String(i)) });
    await writer.close();
    writer.releaseLock();
    const closing = socket.close();
    return [early.name, locked.name, await closing, await socket.closed];
  }, peer.port);
  assert.deepEqual(names, ['InvalidStateError', 'InvalidStateError', undefined, undefined]);
  await eventually('all of them came', () => peer.received.length === 200);
  await eventually('the log has it closed', async () => (await sockets(t))[0].state === 'closed');
});

// ---- TCPServerSocket ----

line('TCPServerSocket: the constructor is synchronous, and what is wrong is a TypeError at once', async (t, { run }) => {
  const names = await run(() => {
    const wrong = [
      [],
      ['localhost'],
      ['127.0.0.1', { localPort: 0 }],
      ['127.0.0.1', { localPort: 65_536 }],
      ['127.0.0.1', { backlog: 0 }],
      ['127.0.0.1', { ipv6Only: true }],
    ];
    return wrong.map((given) => {
      try {
        return `made with ${JSON.stringify(given)}: ${String(new sdk.TCPServerSocket(...given))}`;
      } catch (error) {
        return error.name;
      }
    });
  });
  assert.deepEqual(new Set(names), new Set(['TypeError']));
  assert.deepEqual(await sockets(t), []);
});

line('TCPServerSocket: readable gives sockets that are open, each with streams of its own', async (t, { run }) => {
  const info = await run(async () => {
    globalThis.server = new sdk.TCPServerSocket('127.0.0.1', { backlog: 8 });
    const { readable, ...ends } = await server.opened;
    globalThis.reader = readable.getReader();
    globalThis.echoing = (async () => {
      for (;;) {
        const { value: socket, done } = await reader.read();
        if (done) return;
        if (!(socket instanceof sdk.TCPSocket)) throw new Error('no TCPSocket');
        const info = await socket.opened;
        globalThis.remotes = [...(globalThis.remotes ?? []), `${info.localAddress}:${info.localPort} ${info.remoteAddress}:${info.remotePort}`];
        info.readable.pipeTo(info.writable).catch(() => {});
      }
    })();
    return ends;
  });
  assert.deepEqual(Object.keys(info).sort(), ['localAddress', 'localPort']);
  assert.equal(info.localAddress, '127.0.0.1');
  const clients = [];
  for (const said of ['first', 'second', 'third']) {
    const client = net.connect({ host: '127.0.0.1', port: info.localPort, allowHalfOpen: true });
    t.cleanup(() => client.destroy());
    await once(client, 'connect');
    client.end(said);
    clients.push([client, said]);
  }
  for (const [client, said] of clients) assert.equal(await rest(client), said, 'back it comes, and then the FIN');
  const remotes = await run(() => remotes);
  assert.equal(remotes.length, 3);
  for (const remote of remotes) assert.match(remote, new RegExp(`^127\\.0\\.0\\.1:${info.localPort} 127\\.0\\.0\\.1:\\d+$`));
});

line('TCPServerSocket: close() fails while a reader holds it, and what was accepted outlives it', async (t, { run }) => {
  const port = await run(async () => {
    globalThis.server = new sdk.TCPServerSocket('127.0.0.1');
    const early = await failed(server.close());
    if (early.name !== 'InvalidStateError') throw new Error(JSON.stringify(early));
    globalThis.info = await server.opened;
    globalThis.reader = info.readable.getReader();
    const locked = await failed(server.close());
    if (locked.name !== 'InvalidStateError') throw new Error(JSON.stringify(locked));
    globalThis.next = reader.read();
    return info.localPort;
  });
  const client = net.connect(port, '127.0.0.1');
  t.cleanup(() => client.destroy());
  await once(client, 'connect');
  await run(async () => {
    globalThis.accepted = (await next).value;
    reader.releaseLock();
    await server.close();
    await server.closed;
  });
  const late = net.connect(port, '127.0.0.1');
  const [error] = await once(late, 'error');
  assert.equal(error.code, 'ECONNREFUSED');
  await run(async () => {
    const { writable } = await accepted.opened;
    await writable.getWriter().write(bytes('alive'));
  });
  assert.equal(await heard(client, 5), 'alive');
});

line('TCPServerSocket: a port that is taken rejects opened and closed', async (t, { run }) => {
  const peer = await listener(t);
  const outcomes = await run((port) => {
    const server = new sdk.TCPServerSocket('127.0.0.1', { localPort: port });
    return Promise.all([failed(server.opened), failed(server.closed)]);
  }, peer.port);
  for (const outcome of outcomes) {
    assert.deepEqual(outcome, { name: 'NetworkError', isDOMException: true, errno: 'EADDRINUSE', phase: outcome.phase, code: 'address_in_use' });
  }
});

line('a page is client and server at once, over TCP and UDP', async (t, { run }) => {
  const said = await run(async () => {
    const server = new sdk.TCPServerSocket('127.0.0.1');
    const { readable, localPort } = await server.opened;
    const reader = readable.getReader();
    const client = new sdk.TCPSocket('127.0.0.1', localPort);
    const [{ value: accepted }, near] = await Promise.all([reader.read(), client.opened]);
    const far = await accepted.opened;
    const asking = near.writable.getWriter();
    await asking.write(bytes('question'));
    await asking.close();
    const question = await all(far.readable);
    const answering = far.writable.getWriter();
    await answering.write(bytes('answer'));
    await answering.close();
    const answer = await all(near.readable);
    await Promise.all([client.closed, accepted.closed]);

    const bound = await new sdk.UDPSocket({ localAddress: '127.0.0.1' }).opened;
    const connected = await new sdk.UDPSocket({ remoteAddress: '127.0.0.1', remotePort: bound.localPort }).opened;
    await connected.writable.getWriter().write({ data: bytes('datagram') });
    const { value } = await bound.readable.getReader().read();
    await bound.writable.getWriter().write({ data: bytes('and back'), remoteAddress: value.remoteAddress, remotePort: value.remotePort });
    const back = await connected.readable.getReader().read();
    return [question, answer, text(value.data), text(back.value.data)];
  });
  assert.deepEqual(said, ['question', 'answer', 'datagram', 'and back']);
  const contracts = new Set((await sockets(t)).map(({ bridge }) => bridge));
  assert.deepEqual([...contracts], ['direct'], 'each of them is in the list');
});

// ---- connect() ----

line('connect(): the streams are there at once, and opened says both addresses', async (t, { run }) => {
  const peer = await listener(t);
  const info = await run(async (port) => {
    globalThis.socket = sdk.connect({ hostname: 'localhost', port });
    globalThis.writer = socket.writable.getWriter();
    const writing = writer.write(bytes('before it is open'));
    const opened = await socket.opened;
    await writing;
    return { ...opened, upgraded: socket.upgraded, secureTransport: socket.secureTransport };
  }, peer.port);
  const accepted = await peer.accepted();
  assert.equal(await heard(accepted, 17), 'before it is open');
  assert.deepEqual(info, { remoteAddress: `127.0.0.1:${peer.port}`, localAddress: `127.0.0.1:${accepted.remotePort}`, upgraded: false, secureTransport: 'off' });
  const wrong = await run(() =>
    ['nowhere', 'a:1:2', { hostname: 'a' }, { hostname: 'a', port: 65_536 }].map((address) => {
      try {
        return String(sdk.connect(address));
      } catch (error) {
        return error.name;
      }
    }),
  );
  assert.deepEqual(new Set(wrong), new Set(['TypeError']));
});

line('connect(): there is no TLS, and whoever asks for it gets a TypeError at once', async (t, { run }) => {
  const peer = await listener(t);
  const outcomes = await run((port) =>
    ['on', 'starttls', 'none'].map((secureTransport) => {
      try {
        return String(sdk.connect({ hostname: '127.0.0.1', port }, { secureTransport }));
      } catch (error) {
        return error.name;
      }
    }), peer.port);
  assert.deepEqual(outcomes, ['TypeError', 'TypeError', 'TypeError']);
  assert.deepEqual(await sockets(t), [], 'nothing was opened');
  // Where it is said not to be wanted, it is as if nothing was said.
  const info = await run((port) => sdk.connect({ hostname: '127.0.0.1', port }, { secureTransport: 'off' }).opened, peer.port);
  assert.equal(info.remoteAddress, `127.0.0.1:${peer.port}`);
});

line("connect(): without allowHalfOpen the peer's FIN ends writing, after what was written", async (t, { run }) => {
  const peer = await listener(t);
  await run((port) => {
    globalThis.socket = sdk.connect(`127.0.0.1:${port}`);
    globalThis.writer = socket.writable.getWriter();
    globalThis.big = writer.write(new Uint8Array(8 << 20));
    globalThis.ended = failed(writer.closed);
  }, peer.port);
  const accepted = await peer.accepted();
  accepted.end('done');
  assert.equal(await run(() => all(socket.readable)), 'done');
  await rest(accepted);
  assert.equal(accepted.bytesRead, 8 << 20);
  await run(async () => {
    await big;
    await ended;
    await socket.closed;
  });
});

line("connect(): with allowHalfOpen writing goes on after the peer's FIN", async (t, { run }) => {
  const peer = await listener(t);
  await run((port) => {
    globalThis.socket = sdk.connect(`127.0.0.1:${port}`, { allowHalfOpen: true });
  }, peer.port);
  const accepted = await peer.accepted();
  accepted.end('done');
  assert.equal(await run(() => all(socket.readable)), 'done');
  await run(async () => {
    const writer = socket.writable.getWriter();
    await writer.write(bytes('not yet'));
    await writer.close();
    await socket.closed;
  });
  assert.equal(await rest(accepted), 'not yet');
});

line('connect(): close() ends both ways, after what was written', async (t, { run }) => {
  const peer = await listener(t);
  await run(async (port) => {
    const socket = sdk.connect(`127.0.0.1:${port}`);
    const writer = socket.writable.getWriter();
    writer.write(bytes('last words'));
    writer.releaseLock();
    await socket.close();
    await socket.closed;
  }, peer.port);
  assert.equal(await rest(await peer.accepted()), 'last words');
});
