// The real binary, on a port of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { within } from './wait.js';

const TOKEN = 'browser-test-browser-test-browser-test';

/** Starts sockscope; `port` 0 takes any free one. */
export async function startServer({ port = 0, args = [], env = {} } = {}) {
  const binary = process.env.SOCKSCOPE_BIN;
  if (!binary) throw new Error('SOCKSCOPE_BIN names no binary: run these tests through `cargo xtask test`');
  const child = spawn(binary, ['--listen', `127.0.0.1:${port}`, ...args], {
    env: { ...process.env, ...env, SOCKSCOPE_TOKEN: TOKEN },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
  const exited = once(child, 'exit');
  const link = await within('the server prints its launch link', firstLink(child, exited, () => log));
  return new Server(child, exited, link, () => log);
}

async function firstLink(child, exited, log) {
  const lines = createInterface({ input: child.stdout });
  const found = new Promise((resolve) => {
    lines.on('line', (line) => line.startsWith('http') && resolve(line));
  });
  const ended = exited.then(([code]) => {
    throw new Error(`the server ended with ${code}:\n${log()}`);
  });
  return Promise.race([found, ended]);
}

class Server {
  #child;
  #exited;
  #log;

  constructor(child, exited, link, log) {
    this.#child = child;
    this.#exited = exited;
    this.#log = log;
    this.exited = exited.catch(() => {});
    this.link = link;
    this.origin = new URL(link).origin;
    this.port = Number(new URL(link).port);
    this.token = TOKEN;
  }

  get log() {
    return this.#log();
  }

  /** One call to the API of the default workspace (or of the server, with a path that starts with `//`). */
  async api(method, path, body) {
    const base = path.startsWith('//') ? `${this.origin}/api/v1` : `${this.origin}/api/v1/workspaces/default`;
    const response = await fetch(base + path.replace(/^\/\//, '/'), {
      method,
      headers: {
        Authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : undefined };
  }

  /** The same, for calls that must succeed. */
  async must(method, path, body) {
    const answer = await this.api(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer.body;
  }

  /** Starts a practice peer, opens a socket to it and answers the socket. */
  async openPractice(peer, name) {
    const { target } = await this.must('POST', '/practice', { peer });
    return this.must('POST', '/sockets', { open: target, ...(name ? { name } : {}) });
  }

  /** Ends it as an operator would, and insists on a clean end. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    try {
      const [code, signal] = await within('the server ends after SIGTERM', this.#exited, 5_000);
      if (code !== 0) throw new Error(`the server ended with ${code ?? signal}:\n${this.log}`);
    } finally {
      this.#child.kill('SIGKILL');
    }
  }

  /** Ends it without a goodbye. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
