// A real VNC server: TigerVNC's, which is an X display and shows it.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

import { eventually } from './wait.js';

const run = promisify(execFile);

const PACKAGES = 'tigervnc-standalone-server x11-xserver-utils';
/** Where it says that it listens; it breaks its lines. */
const PORT = /port\s+(\d+)\s/;

/** Starts one with a screen of its own; its port and its display are whichever are free. */
export async function vncServer({ width, height }) {
  const child = spawn(
    'Xtigervnc',
    ['-displayfd', '3', '-geometry', `${width}x${height}`, '-depth', '24', '-SecurityTypes', 'None', '-interface', '127.0.0.1', '-UseIPv6=0'],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] },
  );
  let [said, display, failed] = ['', '', undefined];
  child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  child.stdio[3].setEncoding('utf8').on('data', (text) => (display += text));
  child.on('error', (error) => (failed = missing('Xtigervnc', error)));
  const exited = once(child, 'exit').catch(() => {});
  const close = async () => {
    if (failed) return;
    child.kill('SIGTERM');
    await exited;
  };
  try {
    await eventually('the VNC server takes connections', () => {
      if (!failed && child.exitCode !== null) failed = new Error(`Xtigervnc ended with ${child.exitCode}:\n${said}`);
      return failed !== undefined || (display.includes('\n') && PORT.test(said));
    });
    if (failed) throw failed;
  } catch (error) {
    await close();
    throw error;
  }
  return {
    port: Number(PORT.exec(said)[1]),
    /** Paints the whole screen: arguments of xsetroot. */
    async paint(...args) {
      await run('xsetroot', ['-display', `:${display.trim()}`, ...args]).catch((error) => {
        throw missing('xsetroot', error);
      });
    },
    close,
  };
}

function missing(program, error) {
  if (error.code !== 'ENOENT') return error;
  return new Error(`${program} is not there; this test needs it: apt-get install --no-install-recommends ${PACKAGES}`);
}
