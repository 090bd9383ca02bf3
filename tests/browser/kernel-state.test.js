// What the kernel says of a connection, drawn: states, the accept queue, the stream on its rulers, figures.

import assert from 'node:assert/strict';

import { Kernel, pair } from './support/kernel.js';
import { story } from './support/lessons.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

/** The states the log tells of a socket's own end, each once where it was told again. */
async function told(server, socket) {
  const events = (await story(server, socket)).filter(({ type, end }) => type === 'kernel_state' && end === 'local');
  return events.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1]);
}

test('both ends walk the graph as the kernel says, and TIME_WAIT counts down', async ({ page, screen, server }) => {
  const kernel = new Kernel(page, screen);
  const { client, accepted } = await pair(server);
  await kernel.look(client.id, 'state');
  await kernel.waitForState('ours', 'ESTABLISHED');
  await kernel.waitForState('peer', 'ESTABLISHED');
  assert.match(await page.getByTestId('end-owner').innerText(), new RegExp(accepted.id));

  await server.must('POST', `/sockets/${client.id}/shutdown`, { how: 'write' });
  await kernel.waitForState('ours', 'FIN_WAIT_2');
  await kernel.waitForState('peer', 'CLOSE_WAIT');
  await server.must('DELETE', `/sockets/${accepted.id}`);
  await kernel.waitForState('ours', 'TIME_WAIT');
  assert.equal(await kernel.token('ours'), 'TIME_WAIT');
  const seconds = async () => Number(/(\d+) s/.exec(await kernel.timer('ours'))[1]);
  const before = await seconds();
  assert.ok(before <= 60 && before > 50, `of 60 s: ${before}`);
  await eventually('it counts down', async () => (await seconds()) < before);

  const path = await kernel.path('ours');
  assert.deepEqual(path.map(({ state }) => state), await told(server, client.id));
  assert.ok(path.every(({ evidence }) => ['read', 'passed_through'].includes(evidence)), JSON.stringify(path));
});

test('connections wait in the accept queue while nobody accepts, one more than the limit', async ({ page, screen, server }) => {
  const kernel = new Kernel(page, screen);
  const listener = await server.must('POST', '/sockets', { open: 'tcp-listen://127.0.0.1:0', options: { backlog: 2 } });
  await kernel.look(listener.id, 'state');
  await page.getByTestId('queue-accepting').click();
  await page.getByTestId('queue-paused').waitFor();
  for (let i = 1; i <= 3; i += 1) {
    await page.getByTestId('queue-connect').click();
    await eventually(`${i} wait`, async () => (await kernel.queue()).length === i);
    assert.equal(await kernel.taken(), i);
  }
  assert.deepEqual(await kernel.queue(), { length: 3, limit: 2, accepting: false });
  const { sockets } = await server.must('GET', '/sockets');
  assert.equal(sockets.filter(({ role, state }) => role === 'client' && state === 'open').length, 3, 'connect succeeds before accept');
  await page.getByTestId('queue-full').waitFor();
  await page.getByTestId('queue-accepting').click();
  await eventually('all are taken out', async () => (await kernel.queue()).length === 0);
  assert.equal((await server.must('GET', '/sockets')).sockets.filter(({ parent }) => parent === listener.id).length, 3);
});

test('three sends arrive in one read, one send arrives in several, and the framer tells messages apart', async ({ page, screen, server }) => {
  const kernel = new Kernel(page, screen);
  const { client, accepted } = await pair(server);
  await server.must('PATCH', `/sockets/${accepted.id}`, { options: { reading: false } });
  for (const text of ['one\n', 'two\nth', 'ree\n']) await server.must('POST', `/sockets/${client.id}/send`, { text });
  await server.must('PATCH', `/sockets/${accepted.id}`, { options: { reading: true } });
  await kernel.look(client.id, 'stream');
  await eventually('they are read', async () => (await kernel.verdict()).reads === 1);
  const sticky = await kernel.verdict();
  assert.deepEqual([sticky.writes, sticky.sticky, sticky.split], [3, 1, 0]);
  assert.match(sticky.text, /3 sends arrived in 1 read: bytes 0–13/);
  assert.equal(await page.getByTestId('framer').getAttribute('data-whole'), '3');

  await server.must('PATCH', `/sockets/${accepted.id}`, { options: { read_size: 4 } });
  await server.must('POST', `/sockets/${client.id}/send`, { text: 'in parts\n' });
  await eventually('it came in parts', async () => (await kernel.verdict()).split === 1);
  assert.match((await kernel.verdict()).text, /1 send arrived in 3 reads: bytes 14–22/);

  await kernel.choose('framer-by', 'fixed');
  await page.getByTestId('framer-fixed').fill('10');
  await eventually('two and a part', async () => (await page.getByTestId('framer').getAttribute('data-partial')) === '1');
  assert.equal(await page.getByTestId('framer').getAttribute('data-whole'), '2');
});

test('figures of a connection come while somebody looks, of both ends', async ({ page, screen, server }) => {
  const kernel = new Kernel(page, screen);
  const { client } = await pair(server);
  await kernel.look(client.id, 'figures');
  await eventually('the kernel was asked', async () => {
    await server.must('POST', `/sockets/${client.id}/send`, { text: 'something to count\n' });
    return Number(await page.getByTestId('figures').getAttribute('data-readings')) > 0;
  });
  await page.locator('[data-figure="rtt"] [data-end="ours"]').waitFor();
  await page.getByTestId('figure-chart-rtt').locator('canvas').waitFor();
});

test('options are set before opening, and what the kernel made of them is said', async ({ page, screen, server }) => {
  const { target } = await server.must('POST', '/practice', { peer: 'echo' });
  await page.getByTestId('opening-options').click();
  await page.getByTestId('opening-option-name').selectOption('send_buffer');
  await page.getByTestId('opening-option-value').fill('8192');
  await page.getByTestId('opening-option-set').click();
  await page.locator('[data-testid="opening-chip"][data-option="send_buffer"]').waitFor();
  await page.getByTestId('opening-options').click();
  await screen.open(target);
  const id = await screen.waitForSocket({ state: 'open' });
  assert.equal((await server.must('GET', `/sockets/${id}`)).options.send_buffer, 8192);
  await screen.selectSocket(id);
  await page.getByTestId('tab-detail').click();
  const row = page.locator('[data-testid="options-granted"] [data-option="send_buffer"] td');
  await row.first().waitFor();
  const [asked, granted] = (await row.allInnerTexts()).map((text) => Number(text.replaceAll(',', '')));
  assert.ok(asked === 8192 && granted === 16384, `${asked} ${granted}`);
});
