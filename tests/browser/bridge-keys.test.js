// Keys for bridges: made on the page, shown once, revoked with what they hold open.

import assert from 'node:assert/strict';

import { tcpServer } from './support/peers.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

test('a key shows its secret once, lets a program in, and is revoked with what it holds open', async (t) => {
  const { page, screen, server } = t;
  const peer = await t.using(tcpServer());
  await screen.at('keys').click();
  await screen.at('keys-none').waitFor();
  await screen.at('keys-make').click();
  await screen.at('key-submit').click();
  assert.notEqual(await screen.at('key-targets-wrong').innerText(), '');
  await screen.at('key-targets').fill(peer.target);
  await screen.at('key-origins').fill(server.origin);
  await t.checkAccessibility();
  await screen.at('key-submit').click();
  await screen.at('key-made').waitFor();
  await t.checkAccessibility();

  const url = (await screen.at('key-made').locator('code').first().innerText()).trim();
  const [, secret] = /^ws:\/\/127\.0\.0\.1:\d+\/k\/([\w-]{43,64})\/bridge\/tcp\/127\.0\.0\.1\/\d+$/.exec(url) ?? assert.fail(url);
  await screen.at('key-made-done').click();
  assert.ok(!(await page.content()).includes(secret), 'the secret is still in the page');
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert.ok(!stored.includes(secret), 'the secret is stored');
  assert.ok(!JSON.stringify(await server.must('GET', '/keys')).includes(secret), 'the list tells the secret');

  await page.evaluate((address) => new Promise((resolve, reject) => {
    window.client = new WebSocket(address);
    window.client.onopen = resolve;
    window.client.onerror = reject;
  }), url);
  await page.locator('[data-testid="key"][data-live="1"]').waitFor();
  assert.equal(await screen.at('key-connections').innerText(), '1 WebSocket let in');
  await screen.at('key-revoke').click();
  assert.match(await screen.at('key-revoke-says').innerText(), /\b1 open socket\b/);
  await screen.at('key-revoke-do').click();
  await screen.at('keys-none').waitFor();
  await eventually('the client is closed', () => page.evaluate(() => window.client.readyState === WebSocket.CLOSED));
});

test('limits and recording that somebody types are in the key, and the list says them', async (t) => {
  const { page, screen, server } = t;
  const make = async () => {
    await screen.at('key-submit').click();
    const id = await screen.at('key-made').getAttribute('data-key');
    await screen.at('key-made-done').click();
    const { keys } = await server.must('GET', '/keys');
    const { max_streams, connects_per_second, max_bytes, record } = keys.find((key) => key.id === id);
    const said = await page.locator(`[data-testid="key"][data-key="${id}"]`).innerText();
    return { made: { max_streams, connects_per_second, max_bytes, record }, said };
  };
  await screen.at('keys').click();
  await screen.at('keys-make').click();
  await screen.at('key-targets').pressSequentially('tcp://127.0.0.1:5900');
  await screen.at('key-streams').pressSequentially('0');
  await screen.at('key-rate').pressSequentially('7');
  await screen.at('key-bytes').pressSequentially('1.5 mi');
  await page.getByLabel('Record every byte').click();
  await screen.at('key-submit').click();
  for (const field of ['streams', 'bytes']) assert.notEqual(await screen.at(`key-${field}-wrong`).innerText(), '', field);
  assert.equal(await screen.at('key-rate-wrong').innerText(), '');
  assert.deepEqual((await server.must('GET', '/keys')).keys, [], 'nothing is made until all of it is right');

  await screen.at('key-streams').press('Backspace');
  await screen.at('key-streams').pressSequentially('3');
  await screen.at('key-bytes').press('End');
  await screen.at('key-bytes').pressSequentially('b');
  const limited = await make();
  assert.deepEqual(limited.made, { max_streams: 3, connects_per_second: 7, max_bytes: 1_572_864, record: true });
  assert.match(limited.said, /\b3 sockets at once, 7 new a second, 1\.5 MiB\b/);
  assert.match(limited.said, /\bevery byte recorded\b/);

  // Where nothing was typed, and the switch was turned back.
  await screen.at('keys-make').click();
  await screen.at('key-targets').pressSequentially('tcp://127.0.0.1:5901');
  await page.getByLabel('Record every byte').click();
  await page.getByLabel('Record every byte').click();
  const usual = await make();
  assert.deepEqual(usual.made, { max_streams: 64, connects_per_second: 100, max_bytes: null, record: false });
  assert.match(usual.said, /\b64 sockets at once, 100 new a second, any number of bytes\b/);
  assert.doesNotMatch(usual.said, /recorded/);
});

test('a socket of a bridge names its contract, is not offered to send with, and is counted exactly', async (t) => {
  const { page, screen, server } = t;
  const peer = await t.using(tcpServer((socket) => socket.resume()));
  const { secret } = await server.must('POST', '/keys', { targets: [peer.target], origins: [server.origin] });
  await page.evaluate((address) => {
    window.client = new WebSocket(address);
  }, `${server.origin.replace('http', 'ws')}/k/${secret}/bridge/tcp/${new URL(peer.target.replace('tcp', 'http')).host.replace(':', '/')}`);
  await screen.at('socket-bridge').waitFor();
  assert.match(await screen.at('socket-bridge').innerText(), /wsproxy/);
  await screen.at('socket-row').click();
  assert.ok(await screen.at('composer-input').isHidden());
  assert.notEqual(await screen.at('composer-why').innerText(), '');
  await t.checkAccessibility();

  // What the page folds is what the server lists, to the byte and to the call.
  await page.evaluate(() => {
    for (let i = 0; i < 64; i += 1) window.client.send(new Uint8Array(16_384));
  });
  const id = await screen.at('socket-row').getAttribute('data-socket');
  const listed = async () => (await server.must('GET', `/sockets/${id}`)).counters;
  await eventually('all of it was passed on and told', async () => (await listed()).sent_bytes === 1_048_576);
  const { sent_events } = await listed();
  await eventually('the page says the same', async () => (await screen.at('socket-card').innerText()).includes(`1,048,576 bytes / ${sent_events.toLocaleString('en')}`));
});

test('the dialog is whole on a phone, in Chinese and in the dark', { context: { locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 390, height: 844 } } }, async (t) => {
  await t.screen.at('pane-sockets').last().click();
  await t.screen.at('keys').click();
  await t.screen.at('keys-make').click();
  await t.checkAccessibility();
  const { width, wide } = await t.screen.at('keys-dialog').evaluate((dialog) => ({ width: dialog.clientWidth, wide: dialog.scrollWidth }));
  assert.ok(wide <= width, `${wide} px in ${width}`);
});
