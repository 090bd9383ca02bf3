// What a comparison looks like: a ladder whose rungs can be told apart, a picture to take away, and a part that is missing.

import assert from 'node:assert/strict';

import { CompareScreen } from './support/compare.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

async function run(page, settings) {
  const compare = new CompareScreen(page);
  await compare.follow(`#compare?${new URLSearchParams(settings)}`);
  await compare.start.click();
  assert.equal(await compare.ending(), 'whole');
  return compare;
}

/** What is drawn of a lane: where each message leaves and arrives, from above, in the order of time. */
function drawn(compare, lane) {
  return compare.at(`stretch-${lane}`).evaluate((figure) =>
    [...figure.querySelectorAll('svg path.ask, svg path.answer, svg path.empty, svg path.push')].map((path) => {
      const [, leaves, there] = /^M\d+ ([\d.]+) L\d+ ([\d.]+)$/.exec(path.getAttribute('d'));
      return { is: path.getAttribute('class').split(' ')[0], leaves: Number(leaves), there: Number(there) };
    }),
  );
}

test('a ladder shows rung by rung what can be told apart, and counts all of it', async ({ page }) => {
  const compare = await run(page, { rate: 30, payload: 64, seconds: 11, poll: 0.5, arrivals: 'regular' });
  const stretches = {};
  for (const lane of ['short_poll', 'long_poll', 'sse', 'websocket']) stretches[lane] = await drawn(compare, lane);
  const shown = Number(await compare.at('stretch-sse').getAttribute('data-seconds'));
  assert.equal(shown, 1);
  assert.match(await compare.at('compare-stretch').innerText(), /only the first 1 s of the ten are drawn; the counts are of all ten/);
  for (const lane of ['sse', 'websocket']) {
    const { pushes } = await compare.stretch(lane);
    assert.ok(pushes > 250, `${lane}: ${pushes}`);
    assert.ok(stretches[lane].length > 10 && stretches[lane].length <= 40, `${lane}: ${stretches[lane].length}`);
    assert.ok(stretches[lane].every(({ is }) => is === 'push'));
  }
  // Nothing crosses: an answer leaves after its question is there, a question after the answer before it is.
  for (const lane of ['short_poll', 'long_poll']) {
    const messages = stretches[lane];
    assert.ok(messages.length >= 2, JSON.stringify(messages));
    for (const [i, message] of messages.entries()) {
      assert.ok(i === 0 || message.leaves >= messages[i - 1].there - 0.11, `${lane}: ${JSON.stringify(messages.slice(i - 1, i + 1))}`);
    }
  }
  const strokes = await page.evaluate(() => ['push', 'answer'].map((is) => getComputedStyle(document.querySelector(`[data-testid="compare-stretch"] li path.${is}`)).stroke));
  assert.notEqual(strokes[0], strokes[1], 'a push is no answer');
});

test('the picture is wide enough for its legends, and is drawn anew at its own width', async ({ page }) => {
  const compare = await run(page, { rate: 10, payload: 64, seconds: 2, poll: 0.5 });
  // Every line of words that is written on it, and how its lines are dashed.
  await page.evaluate(() => {
    const { fillText, setLineDash } = CanvasRenderingContext2D.prototype;
    globalThis.written = [];
    globalThis.dashes = [];
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
      globalThis.written.push([String(text), x + this.measureText(text).width, this.canvas.width, this.canvas.height]);
      return fillText.call(this, text, x, y);
    };
    CanvasRenderingContext2D.prototype.setLineDash = function (dash) {
      globalThis.dashes.push([dash.join(' '), this.canvas.height]);
      return setLineDash.call(this, dash);
    };
  });
  const { bytes } = await compare.saved('compare-png');
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  assert.ok(width >= 960 && height > 900, `${width} × ${height}`);
  const { written, dashes } = await page.evaluate(() => ({ written: globalThis.written, dashes: globalThis.dashes }));
  // The charts on it were drawn on canvases of their own.
  const own = written.filter(([, , , high]) => high === height);
  const words = own.map(([text]) => text);
  for (const [text, right, wide] of own) assert.ok(right <= wide, `${text} is cut`);
  for (const needed of ['Server-sent events', 'Messages a second: 10', 'Bytes a message: 64', 'Seconds between polls: 0.5']) {
    assert.ok(words.some((text) => text.toLowerCase().includes(needed.toLowerCase())), `${needed}: ${words.join(' | ')}`);
  }
  assert.ok(words.some((text) => /^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/.test(text)), words.join(' | '));
  assert.ok(dashes.some(([dash, on]) => dash === '10 3 2 3' && on === height), 'a legend’s line is dashed as the line is');
});

test('a part that cannot be loaded says what may be the matter, and reloading helps', { allow: [/Failed to load resource/, /ERR_FAILED/] }, async ({ page }) => {
  await page.route('**/assets/Compare-*.js', (route) => route.abort());
  await page.getByTestId('mode-compare').click();
  const missing = page.getByTestId('part-missing');
  assert.match(await missing.innerText(), /could not be loaded[\s\S]*replaced/);
  await page.unroute('**/assets/Compare-*.js');
  await missing.getByRole('button').click();
  await page.getByTestId('mode-compare').click();
  await eventually('it is there', async () => (await page.getByTestId('compare').count()) === 1);
});
