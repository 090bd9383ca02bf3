// What the kernel itself says of sockets: ss, of iproute2.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Its lines for what `args` ask for, without a heading and with ports as numbers. */
export async function ss(...args) {
  try {
    const { stdout } = await run('ss', ['-nH', ...args]);
    return stdout;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    throw new Error('ss is not there; this test needs it: apt-get install --no-install-recommends iproute2', { cause: error });
  }
}

/** How long the buffers of the one socket that `args` ask for may grow, in bytes. */
export async function buffers(...args) {
  const said = await ss('-m', ...args);
  const found = [...said.matchAll(/skmem:\(r\d+,rb(\d+),t\d+,tb(\d+),/g)];
  if (found.length !== 1) throw new Error(`ss says: ${said}`);
  const [, receive, send] = found[0].map(Number);
  return { send, receive };
}

/** How many connections may wait for the listener at a port. */
export async function backlog(port) {
  const said = (await ss('-tl', 'sport', '=', `:${port}`)).trim().split('\n');
  if (said.length !== 1) throw new Error(`ss says: ${said.join('\n')}`);
  return Number(said[0].split(/\s+/)[2]);
}
