// noVNC, unchanged, on a page of another origin, in front of a real VNC server: what is painted there is seen here.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

import { site } from './support/site.js';
import { test } from './support/test.js';
import { vncServer } from './support/vnc.js';
import { eventually } from './support/wait.js';

const SCREEN = { width: 320, height: 240 };
const [BLUE, YELLOW, RED] = ['#1133cc', '#ffcc00', '#c81e32'];
/** xsetroot draws a line every so many pixels. */
const GRID = 16;

const folder = await mkdtemp(join(tmpdir(), 'sockscope-novnc-'));
after(() => rm(folder, { recursive: true }));
// Where a token leads is known only once the VNC server runs; the file is read anew for each client.
const tokens = join(folder, 'tokens');
await writeFile(tokens, '');

const PAGE = `<!doctype html><html lang="en"><title>noVNC</title>
<div id="screen"></div>
<script type="module">
  import RFB from '/package/core/rfb.js';
  window.connect = (url) => {
    window.told = [];
    window.rfb = new RFB(document.getElementById('screen'), url);
    for (const name of ['connect', 'disconnect', 'credentialsrequired', 'securityfailure', 'desktopname']) {
      window.rfb.addEventListener(name, () => window.told.push(name));
    }
  };
</script>`;

/** How large noVNC's picture is, and how many pixels of each colour it has. */
function colours(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector('#screen canvas');
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    const seen = {};
    for (let at = 0; at < data.length; at += 4) {
      const colour = `#${[...data.subarray(at, at + 3)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
      seen[colour] = (seen[colour] ?? 0) + 1;
    }
    return { width, height, seen };
  });
}

// Chromium warns of canvases that are read again and again: by us, who look at the picture.
const options = { args: ['--websockify-token-file', tokens], allow: [/willReadFrequently/] };

test('noVNC shows what a VNC server behind a bridge paints', options, async (t) => {
  const { server, screen } = t;
  const vnc = await t.using(vncServer(SCREEN));
  await writeFile(tokens, `lab: 127.0.0.1:${vnc.port}\n`);
  const { origin } = await t.using(site(PAGE, '@novnc/novnc'));
  const { secret } = await server.must('POST', '/keys', { targets: [`tcp://127.0.0.1:${vnc.port}`], origins: [origin] });

  await vnc.paint('-mod', String(GRID), String(GRID), '-fg', BLUE, '-bg', YELLOW);
  const page = await (await t.newContext()).newPage();
  await page.goto(origin);
  await page.waitForFunction(() => window.connect !== undefined);
  await page.evaluate((url) => window.connect(url), `ws://127.0.0.1:${server.port}/k/${secret}/websockify?token=lab`);

  // A grid of blue lines on yellow, to the pixel.
  const between = (SCREEN.width - SCREEN.width / GRID) * (SCREEN.height - SCREEN.height / GRID);
  const lines = SCREEN.width * SCREEN.height - between;
  await eventually('the grid is seen', async () => {
    assert.deepEqual(await colours(page), { ...SCREEN, seen: { [BLUE]: lines, [YELLOW]: between } });
  });
  // What changes while somebody looks is told by the server unasked.
  await vnc.paint('-solid', RED);
  await eventually('the new colour is seen', async () => {
    assert.deepEqual(await colours(page), { ...SCREEN, seen: { [RED]: SCREEN.width * SCREEN.height } });
  });
  assert.ok(!(await page.evaluate(() => window.told)).includes('disconnect'));

  const { sockets } = await server.must('GET', '/sockets');
  assert.equal(sockets.length, 1);
  assert.equal(sockets[0].bridge, 'websockify');
  await screen.at('socket-bridge').waitFor();
  assert.match(await screen.at('socket-bridge').innerText(), /websockify/);

  await page.evaluate(() => window.rfb.disconnect());
  await eventually('noVNC has gone in good order', () => page.evaluate(() => window.told.includes('disconnect')));
  await eventually('so has its socket', async () => (await server.must('GET', `/sockets/${sockets[0].id}`)).state === 'closed');
});
