// What the kernel saw, on the ladder: segments and states of a real connection, their frames, and how to see more.
// States are read without any privilege; segments need CAP_NET_RAW, and where the server has it not, what the page
// says instead is tested.

import assert from 'node:assert/strict';

import { test } from './support/test.js';
import { eventually } from './support/wait.js';

const labels = (t, testid) => t.screen.at(testid).evaluateAll((all) => all.map((one) => ({ ...one.dataset, says: one.getAttribute('aria-label') })));

/** A connection to a practice peer that was used and closed. */
async function talked(t) {
  const { server, screen } = t;
  const { id } = await server.openPractice('echo', 'kernel');
  await screen.selectSocket(id);
  await server.must('POST', `/sockets/${id}/send`, { text: 'hello' });
  await screen.waitForEvent('received', 'hello');
  await server.must('POST', `/sockets/${id}/shutdown`, { how: 'write' });
  await screen.waitForEvent('eof');
  await screen.openLadder();
  await t.screen.at('ladder-fit').click();
  return id;
}

test('states stand on the rail of their end, each with how it is known', async (t) => {
  await talked(t);
  await eventually('both ends were established', async () => {
    const states = await labels(t, 'rail-state');
    return ['ours', 'peer'].every((side) => states.some((one) => one.side === side && one.state === 'ESTABLISHED'));
  });
  for (const one of await labels(t, 'rail-state')) assert.match(one.evidence, /^(read|passed_through|unknown)$/);
  await t.checkAccessibility();
});

test('the wire has the handshake and the close, segment by segment; or the page says how to get them', async (t) => {
  const { server, screen, page } = t;
  const sight = await server.must('GET', '/kernel');
  await talked(t);
  assert.equal(await screen.at('kernel-sight').first().getAttribute('data-level'), sight.segments.active ? '3' : sight.sock_diag.active ? '2' : '1');
  if (!sight.segments.active) {
    await screen.at('wire-how').click();
    await screen.at('kernel-sight-dialog').waitFor();
    assert.equal(await screen.at('kernel-sight-level-3').getAttribute('data-active'), 'false');
    assert.ok((await screen.at('kernel-sight-dialog').innerText()).includes('cap_net_raw'));
    await t.checkAccessibility();
    return;
  }
  const said = async () => (await labels(t, 'wire-segment')).map((one) => one.says.replace(/^[^:]*: /, ''));
  await eventually('both FINs are there', async () => (await said()).filter((text) => text.startsWith('FIN')).length >= 2);
  const all = await said();
  assert.deepEqual(all.slice(0, 3), ['SYN 0', 'SYN, ACK 0 ack 1', 'ACK ack 1']);
  assert.ok(all.some((text) => text.startsWith('PSH, ACK 1:6 (5)')));

  await screen.at('wire-segment').filter({ hasText: '1:6' }).first().click();
  await screen.at('frame').waitFor();
  const layers = await screen.at('frame-layer').evaluateAll((found) => found.map((one) => one.dataset.layer));
  assert.deepEqual(layers, ['ethernet', 'ipv4', 'tcp', 'payload']);
  await page.locator('[data-layer="tcp"] [data-field="source_port"]').hover();
  await eventually('the bytes of the port are lit', async () => (await page.locator('[data-layer="tcp"] [data-testid="frame-byte"][data-lit]').count()) === 2);
  await t.checkAccessibility();
});

test('the timeline leaves the kernel’s facts out until they are asked for, and remembers', async (t) => {
  const { screen, page } = t;
  await talked(t);
  const kernel = page.locator('[data-testid="timeline-row"]:is([data-type="kernel_state"], [data-type="segment"], [data-type="tcp_info"])');
  assert.equal(await kernel.count(), 0);
  if (await screen.at('filters-toggle').isVisible()) await screen.at('filters-toggle').click();
  await screen.at('types').locator('summary').click();
  await screen.at('type-kernel').check();
  await kernel.first().waitFor();
  await page.reload();
  await screen.ready();
  await eventually('they are shown again', async () => (await kernel.count()) > 0);
});
