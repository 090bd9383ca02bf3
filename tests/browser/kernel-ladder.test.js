// What the kernel saw, on the ladder: segments and states of a real connection, their frames, and how to see more.
// States are read without any privilege; segments need CAP_NET_RAW, and where the server has it not, what the page
// says instead is tested.

import assert from 'node:assert/strict';

import { pair } from './support/kernel.js';
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

test('where both ends are ours and both tell, a rail has no state twice', { env: { SOCKSCOPE_KERNEL: 'states' } }, async (t) => {
  const { server, screen } = t;
  if (!(await server.must('GET', '/kernel')).sock_diag.active) return;
  const { client, accepted } = await pair(server);
  await screen.selectSocket(client.id);
  await screen.openLadder();
  const told = (name) => eventually(`both tell of ${name}`, async () => {
    const { events } = await server.must('GET', '/events?after=0&limit=10000&type=kernel_state');
    return [client, accepted].every(({ id }) => events.some(({ socket, state }) => socket === id && state === name));
  });
  await told('ESTABLISHED');
  await server.must('POST', `/sockets/${client.id}/shutdown`, { how: 'write' });
  await told('FIN_WAIT_2');
  await server.must('DELETE', `/sockets/${accepted.id}`);
  await told('TIME_WAIT');
  await screen.at('ladder-fit').click();
  const states = async (side) => (await labels(t, 'rail-state')).filter((one) => one.side === side).map((one) => one.state);
  await eventually('the whole path is there', async () => (await states('ours')).at(-1) === 'TIME_WAIT');
  for (const side of ['ours', 'peer']) {
    const path = await states(side);
    assert.deepEqual(path, [...new Set(path)]);
  }
});

test('the wire has the handshake and the close, segment by segment; or the page says how to get them', async (t) => {
  const { server, screen, page } = t;
  const sight = await server.must('GET', '/kernel');
  const id = await talked(t);
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
  // Five bytes each way, so that each FIN takes number 6 and is acknowledged with 7.
  assert.deepEqual(all.filter((text) => text.startsWith('PSH, ACK')).map((text) => text.split(' ack ')[0]), ['PSH, ACK 1:6 (5)', 'PSH, ACK 1:6 (5)']);
  const fins = all.filter((text) => text.startsWith('FIN'));
  assert.match(fins[0], /^FIN, ACK 6 ack 6/);
  assert.match(fins[1], /^FIN, ACK 6 ack 7/);
  assert.equal(all.at(-1), 'ACK ack 7');
  // What the server recorded, in its order.
  const { events } = await server.must('GET', `/events?limit=10000&type=segment&socket=${id}`);
  assert.deepEqual(all.map((text) => text.split(/ (?=\d|ack)/)[0]), events.map(({ flags }) => ['syn', 'fin', 'rst', 'psh', 'ack'].filter((flag) => flags.includes(flag)).join(', ').toUpperCase()));

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

for (const [name, viewport] of [['in the pane as it usually is', { width: 1280, height: 800 }], ['on a phone', { width: 390, height: 844 }], ['in the wide inspector', { width: 1280, height: 801 }]]) {
  test(`no label of a short conversation is grouped away, overlaps another or is clipped: ${name}`, { context: { viewport } }, async (t) => {
    const { screen } = t;
    await talked(t);
    if (viewport.height === 801) {
      await screen.at('inspector-wide').click();
      await screen.at('ladder-fit').click();
    }
    await screen.at('ladder-stage').focus();
    const seen = new Set();
    // From the first rung to the last, one step at a time: each has a label of its own.
    for (let step = 0; step < 40; step += 1) {
      await t.page.keyboard.press(step === 0 ? 'Home' : 'ArrowDown');
      const { groups, clipped, overlaps, states } = await screen.at('ladder-stage').evaluate((stage) => {
        const all = [...stage.querySelectorAll('[role=option]')];
        const boxes = ['ours', 'wire', 'peer'].map((side) => all.filter((one) => one.dataset.side === side).map((one) => one.getBoundingClientRect().top).sort((a, b) => a - b));
        const room = all[0]?.getBoundingClientRect().height ?? 0;
        const inner = [...stage.querySelectorAll('[data-testid="rail-state"]')].filter((one) => one.querySelector('b').scrollWidth > one.querySelector('b').clientWidth + 1 || one.querySelector('b').getBoundingClientRect().width > one.clientWidth);
        return {
          groups: all.filter((one) => one.dataset.group !== undefined).map((one) => one.ariaLabel),
          clipped: inner.map((one) => one.dataset.state),
          overlaps: boxes.flatMap((tops) => tops.filter((top, i) => i > 0 && top - tops[i - 1] < room - 0.5)),
          states: all.map((one) => one.dataset.state).filter((state) => state !== undefined),
        };
      });
      assert.deepEqual({ groups, clipped, overlaps }, { groups: [], clipped: [], overlaps: [] });
      for (const state of states) seen.add(state);
    }
    for (const state of ['SYN_SENT', 'SYN_RECEIVED', 'ESTABLISHED', 'FIN_WAIT_1', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT']) assert.ok(seen.has(state), `${state} among ${[...seen].join()}`);
  });
}

test('the inspector can have most of the window, by button and by key, and that is remembered', { context: { viewport: { width: 1440, height: 860 } } }, async (t) => {
  const { screen, page } = t;
  await talked(t);
  const usual = (await screen.paneWidths()).detail;
  await screen.at('inspector-wide').click();
  const wide = (await screen.paneWidths()).detail;
  assert.ok(wide > 2 * usual && wide > 800, `${usual} became ${wide}`);
  assert.equal(await screen.ladderIsNarrow(), false);
  await t.checkAccessibility();
  await page.reload();
  await screen.ready();
  assert.equal((await screen.paneWidths()).detail, wide);
  await page.keyboard.press('w');
  assert.equal((await screen.paneWidths()).detail, usual);
  await page.keyboard.press('w');
  // Dragging its edge is a choice too.
  await screen.dragSplitter('detail', 100);
  assert.equal(await screen.at('inspector-wide').getAttribute('aria-pressed'), 'false');
  assert.equal((await screen.paneWidths()).detail, wide - 100);
  // In a small window the timeline makes room, and is back when it is asked for.
  await page.setViewportSize({ width: 1000, height: 800 });
  await page.keyboard.press('w');
  await eventually('the timeline is hidden', async () => !(await screen.at('timeline').isVisible()));
  await page.keyboard.press('t');
  await screen.at('timeline').waitFor();
});

test('a reader that stops reading closes the window: its peer waits on the persist timer, and the marks on the wire are explained', async (t) => {
  const { server, screen } = t;
  const sight = await server.must('GET', '/kernel');
  const { id } = await server.openPractice('chargen', 'chargen');
  await server.must('PATCH', `/sockets/${id}`, { options: { reading: false } });
  await screen.selectSocket(id);
  await screen.openLadder();
  await screen.at('rail-state').filter({ hasText: 'persist' }).first().waitFor();
  // The rest is to be seen on the wire, which needs CAP_NET_RAW; without it another test has what the page says.
  if (!sight.segments.active) return;
  const mark = (name) => t.page.locator(`[data-testid="wire-mark"][data-mark="${name}"]`).last();
  await mark('zero_window').waitFor();
  await mark('zero_window_probe').waitFor();
  await mark('zero_window').hover();
  await eventually('a sentence says what it means', async () => (await screen.at('ladder-readout').innerText()).includes('receive buffer is full'));
  await mark('zero_window_probe').hover();
  await eventually('and of the probe', async () => (await screen.at('ladder-readout').innerText()).includes('whether there is room again'));
});

test('a datagram nobody takes: the ICMP error is on the wire, and the call that gets it on our rail', async (t) => {
  const { server, screen } = t;
  const { id } = await server.must('POST', '/sockets', { open: 'udp://127.0.0.1:9' });
  await server.must('POST', `/sockets/${id}/send`, { text: 'anyone?' });
  await screen.selectSocket(id);
  await screen.openLadder();
  await screen.waitForRung('ECONNREFUSED');
  if (!(await server.must('GET', '/kernel')).segments.active) return;
  await screen.at('wire-segment').filter({ hasText: 'ICMP port unreachable' }).first().click();
  await screen.at('frame').waitFor();
  // The error carries the datagram it is about.
  const layers = await screen.at('frame-layer').evaluateAll((found) => found.map((one) => one.dataset.layer));
  assert.ok(['icmp', 'udp', 'payload'].every((layer) => layers.includes(layer)), layers.join());
});

for (const [kernel, level] of [['states', '2'], ['off', '1']]) {
  test(`with less sight the page says which level is active and how to get the next: ${kernel}`, { env: { SOCKSCOPE_KERNEL: kernel } }, async (t) => {
    const { screen } = t;
    await talked(t);
    const shown = screen.at('kernel-sight').first();
    assert.ok(['0', level].includes(await shown.getAttribute('data-level')), await shown.getAttribute('data-level'));
    await screen.at('wire-how').click();
    await screen.at('kernel-sight-dialog').waitFor();
    assert.equal(await screen.at('kernel-sight-level-3').getAttribute('data-active'), 'false');
    await t.checkAccessibility();
    if (process.env.LOOK) await t.page.screenshot({ path: `/tmp/looks/sight-${kernel}.png` });
  });
}
