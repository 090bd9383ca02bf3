// The module of Direct Sockets and its channel, in a real browser: where it loads, what its key allows, and how it ends.

import assert from 'node:assert/strict';

import { OUTSIDE, connected, line, listener, rest } from './support/direct.js';
import { tcpServer } from './support/peers.js';
import { site, stranger } from './support/stranger.js';
import { test as inChromium } from './support/test.js';

inChromium('the lines that the dialog gives for a page work in one', {}, async (t) => {
  const peer = await listener(t);
  const { origin } = await t.using(site());
  const { screen } = t;
  await screen.at('keys').click();
  await screen.at('keys-make').click();
  await screen.at('key-targets').fill(`tcp://127.0.0.1:${peer.port}`);
  await screen.at('key-origins').fill(origin);
  await screen.at('key-submit').click();
  const lines = await screen.at('key-made').locator('code').last().innerText();
  const page = await t.context.newPage();
  await page.goto(origin);
  await page.addScriptTag({ type: 'module', content: `${lines}\nglobalThis.opened = new TCPSocket('127.0.0.1', ${peer.port}).opened;` });
  await peer.accepted();
  assert.equal(await page.evaluate(async () => (await opened).remotePort), peer.port);
});

/** A module worker as a builder writes it; it answers with what came back of what it sent. */
const worker = (origin) => `
  import { install, TCPSocket } from '${origin}/sdk/direct-sockets.js';
  onmessage = async ({ data: [url, port] }) => {
    try {
      install({ url });
      const socket = new TCPSocket('127.0.0.1', port);
      const { readable, writable, remotePort } = await socket.opened;
      const writer = writable.getWriter();
      await writer.write(new TextEncoder().encode('round trip'));
      await writer.close();
      let said = '';
      for await (const chunk of readable) said += new TextDecoder().decode(chunk);
      await socket.closed;
      postMessage({ said, remotePort, isWorker: self instanceof DedicatedWorkerGlobalScope, crossOriginIsolated });
    } catch (error) {
      postMessage(String(error));
    }
  };`;

for (const isolated of [false, true]) {
  inChromium(`the module works in a worker of ${isolated ? 'an isolated' : 'a'} page`, OUTSIDE, async (t) => {
    const peer = await t.using(tcpServer((socket) => socket.pipe(socket)));
    const { run, channel } = await stranger(t, { isolated, scripts: { '/worker.js': worker(t.server.origin) } });
    const answer = await run(
      (given) => new Promise((resolve, reject) => {
        const worker = new Worker('/worker.js', { type: 'module' });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = () => reject(new Error('the worker did not start'));
        worker.postMessage(given);
      }),
      [channel, peer.port],
    );
    assert.deepEqual(answer, { said: 'round trip', remotePort: peer.port, isWorker: true, crossOriginIsolated: isolated });
  });
}

inChromium('the module loads in an isolated page, and brings its types', OUTSIDE, async (t) => {
  const { run } = await stranger(t, { isolated: true });
  assert.equal(await run(() => crossOriginIsolated), true);
  for (const file of ['direct-sockets.js', 'direct-sockets.d.ts']) {
    const { status, headers } = await fetch(`${t.server.origin}/sdk/${file}`);
    assert.equal(status, 200);
    assert.equal(headers.get('access-control-allow-origin'), '*');
    assert.equal(headers.get('cross-origin-resource-policy'), 'cross-origin');
  }
  const page = await fetch(t.server.origin);
  assert.equal(page.headers.get('access-control-allow-origin'), null, 'the rest is not for others');
});

line('what the key or the policy does not allow is NotAllowedError', async (t, { run }) => {
  const key = await run(() => failed(new sdk.TCPSocket('127.0.0.1', 10).opened));
  assert.deepEqual([key.name, key.code], ['NotAllowedError', 'key:targets']);
  const policy = await run(() => failed(new sdk.TCPSocket('169.254.169.254', 80).opened));
  assert.deepEqual([policy.name, policy.code], ['NotAllowedError', 'denied']);
  const listens = await run(() => failed(new sdk.TCPServerSocket('127.0.0.1').opened));
  assert.deepEqual([listens.name, listens.code], ['NotAllowedError', 'key:targets']);
}, { key: { targets: ['tcp://127.0.0.1:9', 'tcp://169.254.169.254:*'] } });

line('a key allows so many sockets at once, accepted ones among them; one more is NotAllowedError until one is closed', async (t, { run, key }) => {
  const peer = await listener(t);
  await run(async (port) => {
    globalThis.first = new sdk.TCPSocket('127.0.0.1', port);
    await first.opened;
    globalThis.server = new sdk.TCPServerSocket('127.0.0.1');
    const { readable, localPort } = await server.opened;
    const client = new sdk.TCPSocket('127.0.0.1', localPort);
    globalThis.reading = readable.getReader().read();
    await Promise.all([client.opened, reading]);
  }, peer.port);
  const { keys } = await t.server.must('GET', '/keys');
  assert.equal(keys.find(({ id }) => id === key.key.id).sockets.length, 4);
  const outcomes = await run((port) => {
    const more = [
      new sdk.TCPSocket('127.0.0.1', port),
      new sdk.UDPSocket({ remoteAddress: '127.0.0.1', remotePort: port }),
      new sdk.TCPServerSocket('127.0.0.1'),
    ];
    return Promise.all(more.flatMap(({ opened, closed }) => [failed(opened), failed(closed)]));
  }, peer.port);
  for (const outcome of outcomes) {
    assert.deepEqual(outcome, { name: 'NotAllowedError', isDOMException: true, errno: undefined, phase: undefined, code: 'key:max_streams' });
  }
  const remotePort = await run(async (port) => {
    await first.close();
    return (await new sdk.TCPSocket('127.0.0.1', port).opened).remotePort;
  }, peer.port);
  assert.equal(remotePort, peer.port);
}, { key: { max_streams: 4 } });

/** Opens one socket of each kind in the page; `ends` there is how each of them, and each of their streams, ends. */
async function oneOfEach(t, run) {
  const accepted = await connected(t, run);
  await run(async (port) => {
    const ended = (promise) => promise.then(
      (value) => `it did not fail: ${JSON.stringify(value)}`,
      ({ name, message, errno, phase, code }) => ({ name, message, errno, phase, code }),
    );
    const udp = new sdk.UDPSocket({ remoteAddress: '127.0.0.1', remotePort: port });
    const server = new sdk.TCPServerSocket('127.0.0.1');
    const promises = [socket.closed, udp.closed, server.closed];
    for (const { readable, writable } of [info, await udp.opened, await server.opened]) {
      promises.push(readable.getReader().closed);
      if (writable) promises.push(writable.getWriter().closed);
    }
    globalThis.ends = Promise.all(promises.map(ended));
  }, 9);
  return accepted;
}

line('a key that is revoked ends every socket, and each of its streams, with that reason', async (t, { run, key }) => {
  const accepted = await oneOfEach(t, run);
  await t.server.must('DELETE', `/keys/${key.key.id}`);
  const ends = await run(() => ends);
  assert.equal(ends.length, 8);
  for (const end of ends) assert.deepEqual(end, { name: 'NotAllowedError', message: 'key revoked', errno: undefined, phase: undefined, code: 'key' });
  assert.equal(await rest(accepted), '');
  const late = await run(() => failed(new sdk.TCPSocket('127.0.0.1', 9).opened));
  assert.deepEqual([late.name, late.code], ['NetworkError', 'channel_closed']);
}, { allow: [/WebSocket/] });

line('a server that is stopped ends every socket, and each of its streams, with that reason', async (t, { run }) => {
  const accepted = await oneOfEach(t, run);
  await t.server.stop();
  const ends = await run(() => ends);
  assert.equal(ends.length, 8);
  for (const end of ends) assert.deepEqual(end, { name: 'NetworkError', message: 'it was closed in sockscope', errno: undefined, phase: undefined, code: 'shutting_down' });
  assert.equal(await rest(accepted), '');
});

line('a server that is gone without a word ends every socket, and each of its streams, and so one that is opened then', async (t, { run }) => {
  await oneOfEach(t, run);
  await t.server.kill();
  const ends = await run(() => ends);
  assert.equal(ends.length, 8);
  for (const end of ends) assert.deepEqual(end, { name: 'NetworkError', message: 'the channel was closed (1006)', errno: undefined, phase: undefined, code: 'channel_closed' });
  const late = await run(() => failed(new sdk.TCPSocket('127.0.0.1', 9).opened));
  assert.deepEqual([late.name, late.code], ['NetworkError', 'channel_closed']);
}, { allow: [/WebSocket/] });

inChromium('install() puts the classes where a browser that has them puts them', OUTSIDE, async (t) => {
  const { run } = await stranger(t);
  assert.deepEqual(await run(() => {
    const before = typeof globalThis.TCPSocket;
    sdk.install({ globals: true });
    return [before, globalThis.TCPSocket === sdk.TCPSocket, globalThis.UDPSocket === sdk.UDPSocket, globalThis.TCPServerSocket === sdk.TCPServerSocket];
  }), ['undefined', true, true, true]);
});

inChromium("a page of sockscope's own comes in with a ticket", {}, async (t) => {
  const peer = await t.using(tcpServer((socket) => socket.pipe(socket)));
  const said = await t.page.evaluate(
    async ([port, token]) => {
      const sdk = await import('/sdk/direct-sockets.js');
      const ticket = async () => {
        const answer = await fetch('/api/v1/tickets', { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
        return (await answer.json()).ticket;
      };
      sdk.install({ ticket });
      const { readable, writable } = await new sdk.TCPSocket('127.0.0.1', port).opened;
      const writer = writable.getWriter();
      await writer.write(new TextEncoder().encode('ours'));
      await writer.close();
      let said = '';
      for await (const chunk of readable) said += new TextDecoder().decode(chunk);
      return said;
    },
    [peer.port, t.server.token],
  );
  assert.equal(said, 'ours');
});
