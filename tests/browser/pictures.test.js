// The pictures of the documentation: what a person sees after a few minutes. UPDATE_SCREENSHOTS=1 rewrites them.

import { tcpClient } from './support/peers.js';
import { Kernel } from './support/kernel.js';
import { test } from './support/test.js';

const pictures = [
  { name: 'light', locale: 'en-US', colorScheme: 'light' },
  { name: 'dark', locale: 'en-US', colorScheme: 'dark' },
  { name: 'light-zh', locale: 'zh-CN', colorScheme: 'light' },
];

for (const { name, ...context } of pictures) {
  test(`picture: ${name}`, { context: { ...context, viewport: { width: 1440, height: 860 } } }, async (t) => {
    const { server, screen } = t;
    await server.must('POST', '/sockets', { open: 'tcp-listen://127.0.0.1:0', name: 'my server' });
    const listener = await screen.waitForSocket({ state: 'listening' });
    const { local } = await server.must('GET', `/sockets/${listener}`);
    const client = await t.using(tcpClient(local));
    await client.send('PING\r\n');
    await server.api('POST', '/sockets', { open: 'tcp://169.254.169.254:80', name: 'cloud metadata' });
    const daytime = await server.openPractice('daytime', 'what time is it');
    await screen.waitForSocket({ id: daytime.id, state: 'half_closed_remote' });

    const echo = await server.openPractice('echo', 'echo');
    await screen.selectSocket(echo.id);
    for (const text of ['hello', 'one write, one read?']) {
      await screen.send(text);
      await screen.waitForEvent('received', text);
    }
    await screen.send('68 65 78 20 00 ff', { mode: 'hex' });
    await screen.showAs('split');
    await screen.act('half-close');
    await screen.waitForEvent('eof');
    await screen.openLadder();
    await screen.at('ladder-fit').click();
    await screen.waitForRung('connect');
    await t.checkAccessibility();
    await t.screenshot(name);
  });
}

/** What the kernel and the wire did: handshake, two messages, close; the inspector is wide. */
for (const [suffix, context] of [['', { locale: 'en-US', colorScheme: 'light' }], ['-dark', { locale: 'en-US', colorScheme: 'dark' }], ['-zh', { locale: 'zh-CN', colorScheme: 'light' }], ['-zh-dark', { locale: 'zh-CN', colorScheme: 'dark' }]]) {
  test(`picture: what the kernel saw${suffix}`, { context: { ...context, viewport: { width: 1440, height: 860 } } }, async (t) => {
    const { server, screen } = t;
    const kernel = new Kernel(t.page, screen);
    const { id } = await server.openPractice('echo', 'echo');
    await screen.selectSocket(id);
    for (const text of ['hello', 'one write, one read?']) {
      await screen.send(text);
      await screen.waitForEvent('received', text);
    }
    await screen.act('half-close');
    await screen.waitForEvent('eof');
    await screen.openLadder();
    await screen.at('inspector-wide').click();
    await t.page.locator('[data-testid="rail-state"][data-state="TIME_WAIT"]').first().waitFor();
    await screen.at('ladder-fit').click();
    await t.checkAccessibility();
    await t.screenshot(`wire${suffix}`);
    if (suffix === '-dark' || suffix === '-zh') {
      await kernel.look(id, 'state');
      await kernel.waitForState('ours', 'TIME_WAIT');
      await t.checkAccessibility();
      await t.screenshot(`state${suffix}`);
    }
  });
}
