// A TCP relay in front of a server that counts every byte and knows which request it belongs to. It shares no code with
// the server: what it counts is the truth the page is held against.

import net from 'node:net';
import { once } from 'node:events';

/** Starts one before a loopback port; `requests` fills up as they pass. */
export async function countingProxy(port) {
  const requests = [];
  const pairs = new Set();
  const server = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1');
    const pair = { client, upstream, reader: new Reader(requests) };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.on('data', (chunk) => {
      pair.reader.up(chunk);
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      pair.reader.down(chunk);
      client.write(chunk);
    });
    // Half-closed connections of HTTP are over; what goes wrong on either side ends both, as without a relay.
    for (const socket of [client, upstream]) socket.setNoDelay(true).on('end', end).on('error', end).on('close', end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    requests,
    /** Requests that name this meter. */
    of: (meter) => requests.filter(({ line }) => new RegExp(`[?&]meter=${meter}(?:[& ]|$)`).test(line)),
    /** Cuts the connection whose current request matches. */
    cut(pattern) {
      const found = [...pairs].filter(({ reader }) => pattern.test(reader.current?.line ?? ''));
      for (const { client } of found) client.destroy();
      return found.length;
    },
    close() {
      for (const { client, upstream } of pairs) {
        client.destroy();
        upstream.destroy();
      }
      server.close();
    },
  };
}

/** Tells apart the requests of one connection: header, then as much body as it announces, then the next header. */
class Reader {
  #requests;
  #header = Buffer.alloc(0);
  #body = 0;
  #upgraded = false;
  current;

  constructor(requests) {
    this.#requests = requests;
  }

  up(chunk) {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#upgraded) {
        this.current.up += rest.length;
        return;
      }
      if (this.#body > 0) {
        const part = Math.min(this.#body, rest.length);
        this.#body -= part;
        this.current.up += part;
        rest = rest.subarray(part);
        continue;
      }
      this.#header = Buffer.concat([this.#header, rest]);
      const end = this.#header.indexOf('\r\n\r\n');
      if (end < 0) return;
      const text = this.#header.subarray(0, end).toString('latin1');
      rest = this.#header.subarray(end + 4);
      this.#header = Buffer.alloc(0);
      this.#body = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0);
      this.#upgraded = /^upgrade: *websocket/im.test(text);
      this.current = { line: text.split('\r\n')[0], up: end + 4, down: 0 };
      this.#requests.push(this.current);
    }
  }

  down(chunk) {
    // Browsers do not pipeline: what comes answers the last request.
    this.current.down += chunk.length;
  }
}
