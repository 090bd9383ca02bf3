// Who gets in, what a link may do, and the rules the browser enforces for us.

import assert from 'node:assert/strict';

import { tcpServer } from './support/peers.js';
import { test } from './support/test.js';

const outside = { login: false, allow: [/401/] };

test('without a token there is a locked screen; a pasted link opens it, a used one does not', outside, async (t) => {
  await t.page.goto(t.server.origin);
  await t.screen.waitForLocked();
  await t.checkAccessibility();
  await t.screen.unlock(`${t.server.origin}/#c=${'A'.repeat(43)}`);
  await t.screen.waitForLockedError();
  await t.screen.unlock(t.server.link);
  await t.screen.ready();
  assert.ok(!t.page.url().includes('#c='), 'the code stays in the address bar');

  const stranger = await t.newContext();
  const page = await stranger.newPage();
  await page.goto(t.server.link);
  await new t.screen.constructor(page).waitForLocked();
});

test('a deep link fills the address bar in and dials nothing', async (t) => {
  const peer = await t.using(tcpServer());
  await t.page.goto(`${t.server.origin}/#open=${encodeURIComponent(peer.target)}`);
  await t.screen.ready();
  assert.equal(await t.screen.addressText(), peer.target);
  assert.deepEqual((await t.server.must('GET', '/sockets')).sockets, []);
  assert.equal(peer.sockets.size, 0);

  await t.screen.submitAddress();
  await t.screen.waitForSocket({ state: 'open' });
  assert.equal(peer.sockets.size, 1);
});

test('the page is served under a strict policy with Trusted Types, also when it has not changed', async ({ server }) => {
  const first = await fetch(server.origin);
  const again = await fetch(server.origin, { headers: { 'If-None-Match': first.headers.get('etag') } });
  assert.equal(again.status, 304);
  for (const { headers } of [first, again]) {
    const directives = new Map(headers.get('content-security-policy').split(';').map((part) => {
      const [name, ...values] = part.trim().split(/\s+/);
      return [name, values.join(' ')];
    }));
    assert.equal(directives.get('default-src'), "'none'");
    assert.equal(directives.get('script-src'), "'self'");
    assert.equal(directives.get('worker-src'), "'self'");
    assert.equal(directives.get('connect-src'), "'self'");
    assert.equal(directives.get('frame-ancestors'), "'none'");
    assert.equal(directives.get('require-trusted-types-for'), "'script'");
    assert.equal(directives.get('trusted-types'), 'svelte-trusted-html sockscope-worker');
    assert.doesNotMatch([...directives.values()].join(' '), /unsafe-|\*/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('access-control-allow-origin'), null);
    assert.equal(headers.get('set-cookie'), null);
  }
});

test('the browser really enforces it: markup cannot be made from a string', { allow: [/TrustedHTML|csp violation/] }, async ({ page }) => {
  const refused = await page.evaluate(() => {
    try {
      document.createElement('div').innerHTML = '<img src=x>';
      return false;
    } catch (error) {
      return error instanceof TypeError;
    }
  });
  assert.ok(refused);
});
