// Reload, second tab, hidden tab, slow page, lost server, restarted server: nothing is lost silently.

import assert from 'node:assert/strict';

import { compareRows, countEvents, flood, LINE_BYTES } from './support/flood.js';
import { tcpServer } from './support/peers.js';
import { Screen } from './support/screen.js';
import { startServer } from './support/server.js';
import { test } from './support/test.js';
import { eventually, within } from './support/wait.js';

/** A peer that says one numbered line at a time, each after the former is recorded. */
async function speaker(t) {
  const peer = await t.using(tcpServer());
  const { id } = await t.server.must('POST', '/sockets', { open: peer.target, name: 'speaker' });
  await eventually('it is accepted', () => peer.sockets.size === 1);
  const [socket] = peer.sockets;
  let said = 0;
  return {
    id,
    async say(lines) {
      for (const end = said + lines; said < end; ) {
        said += 1;
        const line = `line ${said};`;
        await within('the line is written', new Promise((resolve) => socket.write(line, resolve)));
        await eventually('it is recorded', async () => {
          const { counters } = await t.server.must('GET', `/sockets/${id}`);
          return counters.received_events === said;
        });
      }
      return said;
    },
  };
}

/**
 * Makes the page believe it is hidden, and answers how to show it again. Headless Chromium shows every page always, so
 * this is what a hidden page gets from its browser: the state, the event, and no animation frame until it is seen.
 */
async function hide(page) {
  await page.evaluate(() => {
    const { requestAnimationFrame } = window;
    const held = [];
    const say = (state) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => state === 'hidden' });
      document.dispatchEvent(new Event('visibilitychange'));
    };
    window.requestAnimationFrame = (callback) => held.push(callback);
    say('hidden');
    window.showAgain = () => {
      window.requestAnimationFrame = requestAnimationFrame;
      say('visible');
      for (const callback of held) requestAnimationFrame(callback);
    };
  });
  return () => page.evaluate(() => window.showAgain());
}

/** Every line must have its row, once and in order. */
async function assertLines(screen, id, count) {
  await screen.selectSocket(id);
  const wanted = Array.from({ length: count }, (_, index) => `line ${index + 1};`);
  await eventually('every line is on the page', async () => {
    const texts = await screen.eventTexts('received');
    assert.deepEqual(texts.map((text) => /line \d+;/.exec(text)?.[0]), wanted);
  });
}

// A tab without a token asks whether it needs one, and is told 401.
test('a reload and a second tab show the same workspace, with nothing missing', { allow: [/401.*\/about/] }, async (t) => {
  const peer = await speaker(t);
  await peer.say(5);
  await assertLines(t.screen, peer.id, 5);

  await t.page.reload();
  await t.screen.ready();
  await peer.say(5);
  await assertLines(t.screen, peer.id, 10);

  const tab = await t.context.newPage();
  await tab.goto(t.server.origin);
  const second = new Screen(tab);
  await second.ready();
  await peer.say(2);
  await assertLines(second, peer.id, 12);
  await assertLines(t.screen, peer.id, 12);
});

test('a hidden tab has everything when it is looked at again', async (t) => {
  const peer = await speaker(t);
  await peer.say(2);
  await assertLines(t.screen, peer.id, 2);

  const show = await hide(t.page);
  await peer.say(20);
  await show();
  await assertLines(t.screen, peer.id, 22);
});

/** Every row of a flood is there, wherever one looks. */
async function assertFlood(t, screen, id, count) {
  // Of two tabs only the one in front draws.
  await screen.page.bringToFront();
  await screen.showAllSockets();
  await eventually('the page knows of all', async () => {
    const { counters } = await t.server.must('GET', `/sockets/${id}`);
    assert.equal(counters.received_bytes, count * LINE_BYTES);
    const shown = Number((await screen.at('timeline-count').innerText()).replaceAll(/[^0-9]/g, ''));
    return shown === (await countEvents(t.server));
  });
  for (const share of [0, 0.1, 0.25, 0.5, 0.77, 0.9, 1]) await compareRows(t.server, await screen.rowsAt(share));
}

const MANY = 20_000;

test('a tab that was hidden through twenty thousand events has every one of them', async (t) => {
  const sender = await t.using(flood(t.server));
  const show = await hide(t.page);
  await sender.send(MANY, 20_000);
  await eventually('all are recorded', async () => (await t.server.must('GET', `/sockets/${sender.id}`)).counters.received_bytes === MANY * LINE_BYTES);
  await show();
  await assertFlood(t, t.screen, sender.id, MANY);
});

/** Stops the processes that draw pages, as a machine does that sleeps or swaps; answers how to let them go on. */
async function stopRenderers(t) {
  const devtools = await t.context.browser().newBrowserCDPSession();
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  assert.ok(renderers.length > 0, 'no renderer was found');
  for (const id of renderers) process.kill(id, 'SIGSTOP');
  const goOn = () => renderers.forEach((id) => process.kill(id, 'SIGCONT'));
  t.cleanup(goOn);
  return goOn;
}

test('a tab that stood still through twenty thousand events has every one of them', async (t) => {
  const sender = await t.using(flood(t.server));
  const goOn = await stopRenderers(t);
  await sender.send(MANY, 20_000);
  await eventually('all are recorded', async () => (await t.server.must('GET', `/sockets/${sender.id}`)).counters.received_bytes === MANY * LINE_BYTES);
  goOn();
  await assertFlood(t, t.screen, sender.id, MANY);
});

test('two tabs see the same flood as it comes, and each can act', { allow: [/401.*\/about/] }, async (t) => {
  const tab = await t.context.newPage();
  await tab.goto(t.server.origin);
  const second = new Screen(tab);
  await second.ready();
  const sender = await t.using(flood(t.server));
  await second.waitForSocket({ id: sender.id, state: 'open' });
  await sender.send(MANY, 20_000);
  await assertFlood(t, t.screen, sender.id, MANY);
  await assertFlood(t, second, sender.id, MANY);

  await second.selectSocket(sender.id);
  await second.rename('renamed in the other tab');
  await t.page.getByTestId('socket-row').filter({ hasText: 'renamed in the other tab' }).waitFor();
  await t.screen.selectSocket(sender.id);
  await t.screen.act('close');
  await second.waitForSocket({ id: sender.id, state: 'closed' });
});

test('a lost server is said at once, and a restarted one is another log', { allow: [/WebSocket/, /ERR_CONNECTION_REFUSED/, /Failed to load resource/] }, async (t) => {
  await t.screen.startPractice('echo');
  await t.screen.waitForSocket({ state: 'open' });
  await t.screen.send('before');
  await t.screen.waitForEvent('received', 'before');

  await t.server.kill();
  await t.screen.waitForBanner('lost');

  const again = await startServer({ port: t.server.port });
  t.cleanup(() => again.stop());
  await t.screen.waitForBanner('restarted', 30_000);
  await t.screen.ready();
  await t.screen.startPractice('echo');
  await t.screen.waitForSocket({ state: 'open' });
  await t.screen.send('after');
  await t.screen.waitForEvent('received', 'after');
});

test('a server that shuts down says so to its viewers and closes with FIN', { allow: [/WebSocket/, /ERR_CONNECTION_REFUSED/, /Failed to load resource/] }, async (t) => {
  const ends = [];
  const peer = await t.using(tcpServer((socket) => {
    socket.on('data', () => {});
    socket.on('end', () => ends.push('FIN'));
    socket.on('error', (error) => ends.push(error.code));
  }));
  await t.server.must('POST', '/sockets', { open: peer.target });
  await t.server.stop();
  await eventually('the peer saw FIN', () => assert.deepEqual(ends, ['FIN']));
  await t.screen.waitForBanner('lost');
});

test('a flood does not hold up the page, and any row can be scrolled to and is right', async (t) => {
  const { id } = await t.server.openPractice('chargen');
  await t.screen.selectSocket(id);
  await eventually('a thousand reads are recorded', async () => {
    const { counters } = await t.server.must('GET', `/sockets/${id}`);
    return counters.received_events >= 1_000;
  });
  await t.server.must('DELETE', `/sockets/${id}`);
  await t.screen.waitForSocket({ id, state: 'closed' });
  await t.screen.waitForEvent('closed');
  const { first } = await t.server.must('GET', '/events?after=head');
  await t.screen.scroll('up');
  await eventually('the oldest row is shown', async () => (await t.screen.visibleSeqs())[0] >= first);
});
