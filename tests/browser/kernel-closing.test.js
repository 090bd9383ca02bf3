// The close laboratory: every ending is a real one, and what is said of it is what the log says.

import assert from 'node:assert/strict';

import { Kernel } from './support/kernel.js';
import { nothingAlive, story } from './support/lessons.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

// A bind that is refused is what these tests are about.
const allow = [/Failed to load resource: the server responded with a status of 409/];

test('who closes first is the one that waits', async ({ page, screen, server }) => {
  const kernel = new Kernel(page, screen);
  await kernel.openLaboratory();
  await kernel.act('client', 'shutdown');
  await kernel.waitForState('ours', 'FIN_WAIT_2');
  await kernel.waitForState('peer', 'CLOSE_WAIT');
  await kernel.act('server', 'close');
  await kernel.waits('client');
  assert.match(await page.getByTestId('closing-left').innerText(), /\d+ s left of 60 s/);

  await page.getByTestId('closing-start').click();
  await eventually('there is a new connection', async () => (await page.getByTestId('closing-client-close').isEnabled()));
  await kernel.act('server', 'shutdown');
  await kernel.act('client', 'close');
  await kernel.waits('server');
  await page.getByTestId('closing-end').click();
  await nothingAlive(server);
});

for (const deed of ['unread', 'reset']) {
  test(`${deed} ends both ends at once by RST, and nobody waits`, { allow }, async ({ page, screen, server }) => {
    const kernel = new Kernel(page, screen);
    await kernel.openLaboratory();
    const { client, server: other } = await kernel.ends();
    await kernel.act('client', deed);
    await kernel.waits('reset');
    const ending = (await story(server, other)).find(({ type }) => type === 'reset');
    assert.equal(ending.side, 'peer');
    assert.equal(ending.errno, 'ECONNRESET');
    const [closed] = (await story(server, client)).filter(({ type }) => type === 'closed');
    assert.equal(closed.unread_bytes > 0, deed === 'unread');
    assert.ok((await kernel.calls()).some(({ who, type }) => who === 'server' && type === 'reset'));
    await page.getByTestId('closing-end').click();
    await nothingAlive(server);
  });
}

test('a close while the other side sends is learned in the middle of sending', { allow }, async ({ page, screen, server }) => {
  const kernel = new Kernel(page, screen);
  await kernel.openLaboratory();
  const { server: other } = await kernel.ends();
  await kernel.act('client', 'sending');
  await eventually('the sender was told', async () => (await story(server, other)).some(({ type, errno }) => (type === 'reset' || type === 'failed') && ['ECONNRESET', 'EPIPE'].includes(errno)));
  await eventually('the deed is done', async () => (await page.getByTestId('closing-end').isEnabled()));
  await page.getByTestId('closing-end').click();
  await nothingAlive(server);
});

test('a port is bound again only where the old and the new socket have SO_REUSEADDR', { allow }, async ({ page, screen, server }) => {
  const kernel = new Kernel(page, screen);
  await kernel.openLaboratory();
  const cases = await kernel.reuse();
  assert.deepEqual(
    cases.map(({ old, fresh, result, errno }) => [old, fresh, result, errno]),
    [
      [false, false, 'refused', 'EADDRINUSE'],
      [false, true, 'refused', 'EADDRINUSE'],
      [true, false, 'refused', 'EADDRINUSE'],
      [true, true, 'bound', undefined],
    ],
  );
  await page.getByTestId('closing-end').click();
  await nothingAlive(server);
});
