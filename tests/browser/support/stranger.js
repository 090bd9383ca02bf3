// A page of another origin that uses sockscope's module through a key: what a builder's own page is.

import { once } from 'node:events';
import http from 'node:http';

const PAGE = '<!doctype html><meta charset="utf-8"><title>A stranger</title><link rel="icon" href="data:,">';
/** What a page has to say to be isolated, and then loads of others what allows it alone. */
const ISOLATED = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/** Every place, every kind. */
export const ANYWHERE = ['tcp://*:*', 'udp://*:*', 'tcp-listen://*:*', 'udp-bind://*:*'];

/** Serves an empty page, and `scripts`: texts by their paths. */
export async function site(headers = {}, scripts = {}) {
  const server = http.createServer(({ url }, response) => {
    const type = url in scripts ? 'text/javascript' : 'text/html';
    response.writeHead(200, { 'Content-Type': type, ...headers }).end(scripts[url] ?? PAGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * Opens the page for the test `t`, with the module loaded and a key of its own. In it, `sdk` is the module, `bytes(text)` and
 * `text(bytes)` do what they say, `all(readable)` reads to the end, `failed(promise)` answers why it failed.
 */
export async function stranger(t, { targets = ANYWHERE, isolated = false, scripts, ...terms } = {}) {
  const { origin } = await t.using(site(isolated ? ISOLATED : {}, scripts));
  const key = await t.server.must('POST', '/keys', { targets, origins: [origin], ...terms });
  const channel = `${t.server.origin.replace('http', 'ws')}/k/${key.secret}/bridge/sockets`;
  const page = await t.context.newPage();
  await page.goto(origin);
  await page.evaluate(
    async ([from, url]) => {
      const module = await import(`${from}/sdk/direct-sockets.js`);
      module.install({ url });
      const encoder = new TextEncoder();
      const decoder = new TextDecoder();
      Object.assign(globalThis, {
        sdk: module,
        bytes: (text) => encoder.encode(text),
        text: (chunk) => decoder.decode(chunk),
        all: async (readable) => {
          let said = '';
          for await (const chunk of readable) said += decoder.decode(chunk);
          return said;
        },
        failed: (promise) =>
          promise.then(
            (value) => `it did not fail: ${JSON.stringify(value)}`,
            (error) => ({ name: error.name, isDOMException: error instanceof DOMException, errno: error.errno, phase: error.phase, code: error.code }),
          ),
      });
    },
    [t.server.origin, channel],
  );
  return { page, key, channel, run: (inPage, argument) => page.evaluate(inPage, argument) };
}
