// epoxy, unchanged, on a page of another origin: an HTTP client in WebAssembly on a Wisp of its own, in both versions of the
// protocol and through a key.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { tcpClient, udpEcho } from './support/peers.js';
import { site } from './support/site.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

const PACKAGE = '@mercuryworkshop/epoxy-tls';
const FETCHES = 8;
const BODY = 400_003;
const UPLOAD = 3_000_017;
/** Types of packets, and the reason of a CLOSE. */
const [CONTINUE, CLOSE, INFO] = [3, 4, 5];
const REFUSED = 0x44;

const PAGE = `<!doctype html><html lang="en"><title>epoxy</title>
<script type="module">
  import init, { EpoxyClient, EpoxyClientOptions } from '/package/full/epoxy-bundled.js';

  const sha256 = async (bytes) =>
    [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

  await init();
  let client;
  window.connect = (url, version) => {
    const options = new EpoxyClientOptions();
    options.wisp_v2 = version === 2;
    client = new EpoxyClient(url, options);
  };
  window.get = async (url) => sha256(await (await client.fetch(url, {})).arrayBuffer());
  /** Sends bytes nobody could guess; answers what their hash is here, and what the answer says. */
  window.post = async (url, length) => {
    const body = new Uint8Array(length);
    for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(body.subarray(at, at + 65_536));
    const sent = await sha256(body);
    return { sent, received: await (await client.fetch(url, { method: 'POST', body })).text() };
  };
  window.fails = (url) => client.fetch(url, {}).then(() => false, () => true);
  window.datagram = async (address, text) => {
    const { read, write } = await client.connect_udp(address);
    const writer = write.getWriter();
    await writer.write(new TextEncoder().encode(text));
    const { value } = await read.getReader().read();
    return new TextDecoder().decode(value);
  };
</script>`;

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** An HTTP server with `bodies`, which answers an upload with its hash and keeps an eye on its connections. */
async function httpTarget(bodies) {
  const connections = [];
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      response.end(bodies[Number(request.url.slice(1))]);
      return;
    }
    const hash = createHash('sha256');
    for await (const chunk of request) hash.update(chunk);
    response.end(hash.digest('hex'));
  });
  server.on('connection', (socket) => connections.push({ socket, local: `127.0.0.1:${socket.remotePort}` }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    connections,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Every packet that a page and its servers say. */
function packets(page) {
  const said = { server: [], client: [] };
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => said.server.push(payload));
    socket.on('framesent', ({ payload }) => said.client.push(payload));
  });
  return said;
}

for (const version of [2, 1]) {
  test(`epoxy fetches over version ${version} through a key`, async (t) => {
    const { server } = t;
    const bodies = Array.from({ length: FETCHES }, () => randomBytes(BODY));
    const target = await t.using(httpTarget(bodies));
    const echo = await t.using(udpEcho());
    // A port of a client is taken, and nobody listens there.
    const taken = await t.using(tcpClient(`127.0.0.1:${target.port}`));
    const nobody = Number(taken.local.split(':')[1]);
    await eventually('that client is accepted', () => target.connections.length === 1);
    target.connections.length = 0;

    const { origin } = await t.using(site(PAGE, PACKAGE));
    const targets = [`tcp://127.0.0.1:${target.port}`, `tcp://127.0.0.1:${nobody}`, `udp://127.0.0.1:${echo.port}`];
    const { key, secret } = await server.must('POST', '/keys', { targets, origins: [origin] });
    const page = await (await t.newContext()).newPage();
    const said = packets(page);
    await page.goto(origin);
    await page.waitForFunction(() => window.datagram !== undefined);
    await page.evaluate(([url, v]) => window.connect(url, v), [`ws://127.0.0.1:${server.port}/k/${secret}/wisp/`, version]);

    const url = `http://127.0.0.1:${target.port}`;
    const urls = bodies.map((_, i) => `${url}/${i}`);
    const got = await page.evaluate((all) => Promise.all(all.map((one) => window.get(one))), urls);
    assert.deepEqual(got, bodies.map(sha256));
    const { sent, received } = await page.evaluate(([u, length]) => window.post(u, length), [url, UPLOAD]);
    assert.equal(received, sent);
    assert.equal(await page.evaluate((address) => window.datagram(address, 'one datagram'), `udp://127.0.0.1:${echo.port}`), 'one datagram');
    assert.ok(await page.evaluate((u) => window.fails(u), `http://127.0.0.1:${nobody}/`));

    // It spoke the version it was told to, and heard why.
    assert.equal(said.server[0][0], version === 2 ? INFO : CONTINUE);
    assert.equal(said.client[0][0] === INFO, version === 2);
    const refusals = () => said.server.filter((packet) => packet[0] === CLOSE && packet.at(-1) === REFUSED);
    await eventually('the refusal is among the packets', () => refusals().length === 1);

    // The list says of every connection what its target saw, byte for byte.
    assert.ok(target.connections.length >= FETCHES, `${target.connections.length} connections for so many fetches at once`);
    await eventually('the list and the target agree', async () => {
      const { sockets } = await server.must('GET', '/sockets');
      assert.ok(sockets.every(({ bridge }) => bridge === 'wisp'));
      for (const { socket, local } of target.connections) {
        const { counters } = sockets.find((one) => one.local === local && one.target.startsWith('tcp:'));
        assert.deepEqual([counters.sent_bytes, counters.received_bytes], [socket.bytesRead, socket.bytesWritten]);
      }
      assert.equal(sockets.length, target.connections.length + 2);
      assert.equal(sockets.filter(({ state }) => state === 'failed').length, 1);
    });
    const { events } = await server.must('GET', '/events');
    const opening = events.filter(({ type }) => type === 'opening');
    assert.equal(opening.length, target.connections.length + 2);
    assert.ok(opening.every(({ by }) => by === `key:${key.id}`));
  });
}
