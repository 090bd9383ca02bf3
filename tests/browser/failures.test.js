// Refused, denied, not found, timed out, unreachable, reset and in use are different sentences, in both languages.

import assert from 'node:assert/strict';

import { freePort, silentPort, tcpServer } from './support/peers.js';
import { test } from './support/test.js';

async function everyFailure(t) {
  const { server, screen } = t;
  const busy = await t.using(tcpServer());
  const failures = [
    { what: 'refused', open: `tcp://127.0.0.1:${await freePort()}`, errno: 'ECONNREFUSED' },
    { what: 'denied', open: 'tcp://169.254.169.254:80', errno: null },
    { what: 'not found', open: 'tcp://no-such-name.invalid:80', errno: 'EAI_NONAME' },
    { what: 'timed out', open: `tcp://127.0.0.1:${await silentPort(t)}`, errno: 'ETIMEDOUT', options: { connect_timeout_ms: 500 } },
    // TCP has no broadcast: the kernel finds no way there, on every machine.
    { what: 'unreachable', open: 'tcp://255.255.255.255:80', errno: 'ENETUNREACH' },
    { what: 'in use', open: `tcp-listen://127.0.0.1:${busy.port}`, errno: 'EADDRINUSE' },
  ];
  const said = new Map();
  for (const { what, open, errno, options } of failures) {
    const answer = await server.api('POST', '/sockets', { open, ...(options ? { options } : {}) });
    assert.ok(answer.status >= 400, `${what}: ${JSON.stringify(answer)}`);
    assert.ok(answer.body.socket, `${what}: the problem names its socket`);
    await screen.selectSocket(answer.body.socket);
    const sentence = await screen.failureSentence();
    if (errno) assert.match(sentence, new RegExp(errno), what);
    said.set(what, sentence);
  }
  return said;
}

for (const [locale, letters] of [['en-US', /[a-z]{3}/], ['zh-CN', /\p{Script=Han}{2}/u]]) {
  test(`each failure has its own sentence in ${locale}`, { context: { locale } }, async (t) => {
    const said = await everyFailure(t);
    // Addresses and ports differ anyway; without them the sentences must still differ.
    const bare = [...said.values()].map((sentence) => sentence.replace(/[0-9.:[\]]+/g, ''));
    assert.equal(new Set(bare).size, said.size, [...said.values()].join('\n'));
    for (const sentence of said.values()) assert.match(sentence, letters);
  });
}

test('a denial names its rule, and nothing was dialled', async ({ screen, server }) => {
  await screen.open('tcp://169.254.169.254:80');
  await screen.waitForEvent('refused_by_policy', 'metadata');
  const page = await server.must('GET', '/events?after=0');
  assert.ok(!page.events.some(({ type }) => type === 'connecting'), 'it was dialled');
});

test('a peer that resets is told apart from one that closes', async ({ screen, server }) => {
  const reset = await server.openPractice('resetter');
  const closed = await server.openPractice('daytime');
  await screen.selectSocket(reset.id);
  await screen.send('x');
  await screen.waitForEvent('reset', 'ECONNRESET');
  await screen.selectSocket(closed.id);
  await screen.waitForEvent('eof');
});

test('what is mistyped is said while it is typed, and opens nothing', async ({ screen, server }) => {
  const said = [];
  for (const wrong of ['tcp://127.0.0.1:99999', 'tcp://127.0.0.1', 'gopher://x:70', 'tcp://::1:80']) {
    await screen.type(wrong);
    said.push(await screen.understanding({ valid: false }));
    await screen.submitAddress();
  }
  assert.equal(new Set(said).size, said.length, said.join('\n'));
  await screen.type('tcp://[::1]:80');
  assert.match(await screen.understanding({ valid: true }), /::1.*80/);
  assert.deepEqual((await server.must('GET', '/sockets')).sockets, []);
});
