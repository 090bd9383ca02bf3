// The lessons: what they say is what the server's log says, and nothing of them stays behind. HTTP is in lessons-http.test.js.

import assert from 'node:assert/strict';

import { tabTo } from './support/keyboard.js';
import { alive, carried, Lessons, nothingAlive, story } from './support/lessons.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

/** When the middlebox forgot a connection, by the log: the note is on the socket that was accepted from its address. */
async function forgottenAt(server, socket) {
  const { sockets } = await server.must('GET', '/sockets?hidden=true');
  const { local } = sockets.find(({ id }) => id === socket);
  const relay = sockets.find(({ practice, remote, parent }) => practice === 'middlebox' && parent !== null && remote === local);
  return (await story(server, relay.id)).find(({ type, code }) => type === 'note' && code === 'forgotten')?.t_us;
}

const seconds = (us) => `${(us / 1e6).toFixed(3)} s`;

test('of four connections two survive the silence, and the page says of each what the log says', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 2, silence: 8, watch: 2 });
  await lessons.start();
  await lessons.waitForForgotten('nothing');
  // While it runs everything is there to be seen in the instrument.
  assert.equal((await server.must('GET', '/sockets')).sockets.filter(({ name }) => /^heartbeat: /.test(name)).length, 4);
  await lessons.waitForPhase('done');
  const { nothing, slow, fast, app } = await lessons.lanes();

  for (const lane of [fast, app]) {
    assert.equal(lane.verdict, 'works', lane.text);
    assert.equal(lane.forgotten, false);
    const [sent, received] = [await carried(server, lane.socket, 'sent'), await carried(server, lane.socket, 'received')];
    // A heartbeat may be on its way when the connections are closed; the question was answered before.
    assert.ok(received.toString().includes('still there?\n') && sent.subarray(0, received.length).equals(received), 'what was asked came back');
  }
  assert.match((await carried(server, app.socket, 'sent')).toString(), /^hello\n(heartbeat\n){6,}still there\?\n/);
  assert.equal((await carried(server, fast.socket, 'sent')).toString(), 'hello\nstill there?\n', 'keepalive costs the program no byte');

  assert.equal(nothing.verdict, 'unnoticed', nothing.text);
  assert.ok(nothing.forgotten);
  const [, waited] = /^Has not noticed: (\d+\.\d) s after it asked/.exec(nothing.outcome);
  assert.ok(Number(waited) >= 1.9, `as long as was to be watched: ${waited} s`);
  assert.equal((await carried(server, nothing.socket, 'received')).toString(), 'hello\n');

  // Two probes a second apart, four seconds after the last byte: it knows before anybody speaks.
  assert.deepEqual([slow.verdict, slow.errno], ['ended', 'ETIMEDOUT'], slow.text);
  const failed = (await story(server, slow.socket)).find(({ type }) => type === 'failed');
  const since = failed.t_us - (await forgottenAt(server, slow.socket));
  assert.equal(slow.outcome, `ETIMEDOUT, before the question, ${seconds(since)} after it was forgotten.`);

  await nothingAlive(server);
});

test('with TCP_USER_TIMEOUT the one that did nothing notices, and the page says with which errno and when', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 2, silence: 3, watch: 20, userTimeout: 1 });
  await lessons.start();
  await lessons.waitForPhase('done');
  const { nothing, fast, app } = await lessons.lanes();
  assert.deepEqual([nothing.verdict, nothing.errno], ['ended', 'ETIMEDOUT'], nothing.text);
  assert.deepEqual([fast.verdict, app.verdict], ['works', 'works']);
  const events = await story(server, nothing.socket);
  const failed = events.find(({ type }) => type === 'failed');
  const asked = events.findLast(({ type }) => type === 'sent');
  const took = failed.t_us - asked.t_us;
  assert.ok(took >= 1e6, `no sooner than the limit: ${took} µs`);
  const forgotten = failed.t_us - (await forgottenAt(server, nothing.socket));
  assert.equal(nothing.outcome, `ETIMEDOUT ${seconds(took)} after it asked, ${seconds(forgotten)} after it was forgotten.`);
  assert.match(nothing.text, /TCP_USER_TIMEOUT is 1 s/);
  assert.equal((await lessons.runs()).length, 1);

  // The switch alone makes the difference, and both runs stand side by side.
  await lessons.set({ idle: 2, silence: 3, watch: 2 });
  await lessons.start();
  await lessons.waitForPhase('asking');
  await lessons.waitForPhase('done');
  const [before, now] = await lessons.runs();
  assert.match(before, /TCP_USER_TIMEOUT 1 s.*ETIMEDOUT/);
  assert.match(now, /no TCP_USER_TIMEOUT.*has not noticed/);
  // It ended because every one had spoken or was over, not because the time to watch was up.
  assert.ok(events.at(-1).t_us - asked.t_us < 20e6);
});

test('settings out of range are refused with the range, and nothing is started', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  for (const [field, value, says] of [
    ['idle', '0', 'From 1 s to 60 s.'],
    ['idle', '61', 'From 1 s to 60 s.'],
    ['idle', 'soon', 'A whole number is needed. From 1 s to 60 s.'],
    ['silence', '5', 'From 6 s to 300 s.'],
    ['silence', '301', 'From 6 s to 300 s.'],
    ['watch', '1.5', 'A whole number is needed. From 1 s to 120 s.'],
    ['userTimeout', '0', 'From 1 s to 60 s.'],
  ]) {
    await lessons.set({ idle: 5, silence: 15, watch: 10, userTimeout: 3 });
    await lessons.at(`heartbeat-${field}`).fill(value);
    assert.equal(await lessons.complaint(field), says);
    await lessons.start();
    assert.equal(await lessons.phase(), 'none');
    assert.equal(await lessons.at(`heartbeat-${field}`).evaluate((input) => input === document.activeElement && input.ariaInvalid), 'true', 'one is led to what is wrong');
  }
  assert.deepEqual((await server.must('GET', '/sockets?hidden=true')).sockets, []);
});

test('stopping ends everything that was started and leaves what was measured; a hidden tab is said', async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 1, silence: 60, watch: 1 });
  await lessons.start();
  await lessons.waitForForgotten('nothing');
  assert.ok(!(await lessons.saysHidden()));
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await eventually('the page says that it was hidden', () => lessons.saysHidden());
  await lessons.at('heartbeat-stop').click();
  await lessons.waitForPhase('stopped');
  await nothingAlive(server);
  assert.ok((await lessons.lanes()).nothing.forgotten);
  assert.match(await lessons.at('heartbeat-status').innerText(), /incomplete/);
  // And another run can begin.
  await lessons.set({ idle: 1, silence: 2, watch: 1 });
  await lessons.start();
  await lessons.waitForPhase('done');
});

test('a run goes on while one looks at the instrument, and leaving the page ends it', async ({ page, server, screen }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 2, silence: 200, watch: 1 });
  await lessons.start();
  await lessons.waitForPhase('silent');
  await lessons.at('mode-instrument').click();
  await screen.waitForEvent('sent', 'heartbeat');
  assert.ok((await alive(server)).length >= 6, 'still there');
  await page.goto('about:blank');
  await nothingAlive(server);
});

test('a server that goes away ends the run with what was measured', { allow: [/Failed to load resource|ERR_|WebSocket/] }, async ({ page, server }) => {
  const lessons = new Lessons(page);
  await lessons.open('heartbeat');
  await lessons.set({ idle: 1, silence: 100, watch: 1 });
  await lessons.start();
  await lessons.waitForForgotten('nothing');
  await server.kill();
  await lessons.waitForPhase('failed');
  assert.ok((await lessons.lanes()).nothing.forgotten);
  assert.notEqual(await lessons.at('heartbeat-fault').innerText(), '');
});

// ---- for everybody

test('both lessons by keyboard alone', async ({ page }) => {
  // No click anywhere in this test.
  const lessons = new Lessons(page);
  const press = async (testid, key = 'Enter') => {
    await tabTo(page, lessons.at(testid));
    await page.keyboard.press(key);
  };
  await press('mode-lessons');
  await lessons.at('heartbeat').waitFor();
  for (const [field, value] of [['idle', '1'], ['silence', '2'], ['watch', '1']]) {
    await tabTo(page, lessons.at(`heartbeat-${field}`));
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type(value);
  }
  await press('heartbeat-start');
  await lessons.waitForPhase('silent');
  assert.equal(await lessons.focused(), 'heartbeat-stop', 'the focus stays where it was');
  await lessons.waitForPhase('done');
  assert.equal(await lessons.focused(), 'heartbeat-start');
  await press('lesson-heartbeat', 'ArrowRight');
  await lessons.at('http-lesson').waitFor();
  await press('http-ask');
  await lessons.answers(1);
  await press('http-send');
  await page.locator('[data-testid="http-hand-answer"][data-state="complete"]').waitFor();
  assert.ok((await lessons.same('request')).identical);
});

// One visit a width: what is shown is looked at in each theme and language. The silence is long enough for all four looks.
for (const width of [1440, 390]) {
  test(`axe finds nothing in the lessons, in both themes and languages: ${width} px`, { context: { viewport: { width, height: width === 390 ? 844 : 900 } } }, async (t) => {
    const lessons = new Lessons(t.page);
    const fits = async (where, says) => {
      for (const language of ['en', 'zh']) {
        await t.screen.setLanguage(language);
        for (const colorScheme of ['light', 'dark']) {
          await t.page.emulateMedia({ colorScheme });
          await t.checkAccessibility();
          const content = await t.page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.getElementById('part').scrollWidth));
          assert.ok(content <= width, `${where}: ${content} px in ${width}`);
          await t.screenshot(`lessons-${where}-${colorScheme}-${language}-${width}`);
        }
        for (const text of (await says?.()) ?? []) assert.equal(/\p{Script=Han}/u.test(text), language === 'zh', text);
      }
    };
    await lessons.open('heartbeat');
    await fits('heartbeat-before');
    await lessons.set({ idle: 2, silence: 7, watch: 4, userTimeout: 1 });
    await lessons.start();
    await lessons.waitForForgotten('nothing');
    await fits('heartbeat-during');
    assert.notEqual(await lessons.phase(), 'done', 'it was looked at while it ran');
    await lessons.waitForPhase('done');
    await fits('heartbeat-done', async () => {
      const { nothing, fast } = await lessons.lanes();
      return [nothing.text, fast.text];
    });

    await lessons.open('http');
    await fits('http-before');
    await lessons.ask({ times: 2 });
    await lessons.answers(2);
    await lessons.sendByHand(1);
    await fits('http-done', async () => [(await lessons.same('request')).text]);
  });
}
