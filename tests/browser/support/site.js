// A page of another origin than sockscope's, with a package as npm has it.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const TYPES = { '.js': 'text/javascript; charset=utf-8', '.wasm': 'application/wasm' };

/** Serves `html` as `/`, and the files of the package as `/package/…`. */
export async function site(html, name) {
  const folder = new URL(`../node_modules/${name}/`, import.meta.url);
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://site');
    if (pathname === '/') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8').end(html);
      return;
    }
    if (!pathname.startsWith('/package/')) {
      response.writeHead(204).end();
      return;
    }
    try {
      const file = await readFile(fileURLToPath(new URL(pathname.slice('/package/'.length), folder)));
      response.setHeader('Content-Type', TYPES[extname(pathname)]).end(file);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
