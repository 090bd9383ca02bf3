// Whatever comes from a peer, a name or an error stays text.

import assert from 'node:assert/strict';

import { tcpServer, udpPeer } from './support/peers.js';
import { test } from './support/test.js';
import { eventually } from './support/wait.js';

const MARK = 'window.__owned=1';

const CORPUS = {
  image: `<img src=x onerror="${MARK}">`,
  script: `<script>${MARK}</script>`,
  svg: `<svg/onload=${MARK}>`,
  iframe: `<iframe srcdoc="<script>parent.__owned=1</script>">`,
  link: `<a href="javascript:${MARK}">click</a>`,
  'breaks out of an attribute': `"'><img src=x onerror=${MARK}>`,
  'closes what may be open': `--></style></script></textarea></title><img src=x onerror=${MARK}>`,
  template: `{{constructor.constructor('${MARK}')()}} \${${MARK}} {@html x}`,
  entity: `&lt;img src=x onerror=${MARK}&gt; &#60;script&#62;`,
  'right to left override': '\u202egnp.exe\u202c \u2066hidden\u2069',
  'zero width': 'pay\u200bpal\u200d.com\ufeff',
  ansi: '\u001b[31mred\u001b[0m\u001b]0;title\u0007\u001b[2J',
  controls: '\0\u0001\b\u007f\u0085\u2028\u2029',
  combining: `Z${'\u0337\u0321\u0354'.repeat(200)}`,
  'private and unassigned': '\ue000\u{f0000}\u{10ffff}\ufffe',
  'not UTF-8': Buffer.from([0xff, 0xfe, 0xc0, 0xaf, 0xed, 0xa0, 0x80, 0xf5]),
  long: 'A'.repeat(100_000),
  'long line of markup': '<b>'.repeat(20_000),
};

/** Nothing of the corpus became an element, ran, or hides as itself in what is shown. */
async function assertOnlyText(page) {
  const found = await page.evaluate(() => {
    const elements = 'iframe, object, embed, base, meta[http-equiv], img[src="x"], a[href^="javascript:"], [onerror], [onload], svg[onload]';
    const scripts = [...document.scripts].filter((script) => !script.src).length;
    const hiding = /[\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff\u001b]/u;
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const hidden = [];
    while (texts.nextNode()) {
      const { data, parentElement } = texts.currentNode;
      if (hiding.test(data) && !parentElement.closest('script, style')) hidden.push(JSON.stringify(data.slice(0, 80)));
    }
    const labels = [...document.querySelectorAll('[title], [aria-label], [value]')].flatMap((element) =>
      ['title', 'aria-label', 'value'].map((name) => element.getAttribute(name) ?? '').filter((value) => hiding.test(value)),
    );
    return { owned: window.__owned, elements: document.querySelectorAll(elements).length, scripts, hidden, labels };
  });
  assert.deepEqual(found, { owned: undefined, elements: 0, scripts: 0, hidden: [], labels: [] });
}

test('hostile bytes from a peer are only ever text, in every view', async (t) => {
  const peer = await t.using(tcpServer());
  const { id } = await t.server.must('POST', '/sockets', { open: peer.target });
  await eventually('it is accepted', () => peer.sockets.size === 1);
  const [socket] = peer.sockets;
  await t.screen.selectSocket(id);
  let bytes = 0;
  for (const [name, payload] of Object.entries(CORPUS)) {
    socket.write(payload);
    bytes += Buffer.byteLength(payload);
    await eventually(`“${name}” is recorded`, async () =>
      (await t.server.must('GET', `/sockets/${id}`)).counters.received_bytes === bytes,
    );
    await t.screen.selectLastEvent('received');
    for (const view of ['text', 'hex', 'split']) {
      await t.screen.showAs(view);
      await assertOnlyText(t.page);
    }
    t.checkWatch();
  }
  await t.screen.openLadder();
  await assertOnlyText(t.page);
});

test('hostile names, targets and errors are only ever text', { allow: [/\b4\d\d\b/] }, async (t) => {
  for (const [what, text] of Object.entries(CORPUS)) {
    if (typeof text !== 'string') continue;
    const name = [...text].slice(0, 200).join('');
    // The server may refuse some of these as names; what it takes must be harmless.
    await t.server.api('POST', '/sockets', { open: 'udp-bind://127.0.0.1:0', name });
    await t.screen.type(text.slice(0, 2_000));
    await assertOnlyText(t.page).catch((error) => {
      throw new Error(`${what}: ${error.message}`, { cause: error });
    });
    await t.screen.submitAddress();
    await assertOnlyText(t.page);
    t.checkWatch();
  }
  await t.screen.search('<img src=x>');
  await assertOnlyText(t.page);
});

test('hostile datagrams too', async (t) => {
  const { id, local } = await t.server.must('POST', '/sockets', { open: 'udp-bind://127.0.0.1:0' });
  const peer = await t.using(udpPeer());
  const small = Object.values(CORPUS).filter((payload) => Buffer.byteLength(payload) < 60_000);
  for (const payload of small) await peer.send(payload, local);
  await t.screen.selectSocket(id);
  await eventually('all arrived', async () =>
    (await t.server.must('GET', `/sockets/${id}`)).counters.received_events === small.length,
  );
  await t.screen.selectLastEvent('received');
  await assertOnlyText(t.page);
});

test('what is copied and exported is what was received, not what was shown', { context: { permissions: ['clipboard-read', 'clipboard-write'] } }, async (t) => {
  const peer = await t.using(tcpServer((socket) => socket.write(CORPUS['right to left override'])));
  const { id } = await t.server.must('POST', '/sockets', { open: peer.target });
  await t.screen.selectSocket(id);
  await t.screen.waitForEvent('received');
  const exported = await t.screen.exportAs('jsonl');
  const received = exported.trim().split('\n').map((line) => JSON.parse(line)).find(({ type }) => type === 'received');
  assert.equal(Buffer.from(received.payload, 'base64').toString(), CORPUS['right to left override']);
});
