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
  await screen.at('key-revoke').click();
  assert.match(await screen.at('key-revoke-says').innerText(), /\b1 open socket\b/);
  await screen.at('key-revoke-do').click();
  await screen.at('keys-none').waitFor();
  await eventually('the client is closed', () => page.evaluate(() => window.client.readyState === WebSocket.CLOSED));
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
