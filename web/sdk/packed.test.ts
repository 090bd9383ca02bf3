import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const SDK = import.meta.dirname;
/** npm and the compiler start twice. */
const PATIENCE_MS = 60_000;

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sockscope-sdk-'));
  await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: SDK });
  const [packed] = await readdir(folder);
  const modules = join(folder, 'node_modules');
  await mkdir(modules);
  await run('tar', ['-xzf', join(folder, packed!), '-C', modules]);
  await run('mv', [join(modules, 'package'), join(modules, 'sockscope-direct-sockets')]);
}, PATIENCE_MS);

afterAll(() => rm(folder, { recursive: true }));

it('is a package that a module imports', async () => {
  const module = (await import(pathToFileURL(join(folder, 'node_modules/sockscope-direct-sockets/dist/direct-sockets.js')).href)) as Record<string, unknown>;
  expect(Object.keys(module).sort()).toEqual(['TCPServerSocket', 'TCPSocket', 'UDPSocket', 'connect', 'install']);
  expect(await readdir(join(folder, 'node_modules/sockscope-direct-sockets'))).toEqual(['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'dist', 'package.json']);
});

it('has types that its user is held to', { timeout: PATIENCE_MS }, async () => {
  const uses = `
    import { connect, install, TCPServerSocket, TCPSocket, UDPSocket, type SocketError, type UDPReceived } from 'sockscope-direct-sockets';
    install({ url: new URL('ws://127.0.0.1:1/bridge/sockets'), globals: true });
    const { readable, remotePort } = await new TCPSocket('127.0.0.1', 7, { keepAliveDelay: 1000 }).opened;
    const { value } = await readable.getReader({ mode: 'byob' }).read(new Uint8Array(remotePort));
    const length: number = value!.byteLength;
    const server: ReadableStream<TCPSocket> = (await new TCPServerSocket('::', { ipv6Only: true }).opened).readable;
    const { writable } = await new UDPSocket({ localAddress: '127.0.0.1' }).opened;
    await writable.getWriter().write({ data: new Uint8Array(length), remoteAddress: 'localhost', remotePort: 9 });
    const sender = (message: UDPReceived): string | undefined => message.remoteAddress;
    const errno = (error: SocketError): string | undefined => error.errno;
    const { closed } = connect({ hostname: 'localhost', port: 7 }, { allowHalfOpen: true });
    export { closed, errno, sender, server };
    // @ts-expect-error a port is a number
    new TCPSocket('127.0.0.1', '7');
    // @ts-expect-error a message has data
    await writable.getWriter().write({ remoteAddress: 'localhost', remotePort: 9 });
  `;
  await writeFile(join(folder, 'uses.mts'), uses);
  const tsc = join(SDK, '../node_modules/typescript/bin/tsc');
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2023,dom'];
  await expect(run(process.execPath, [tsc, ...options, 'uses.mts'], { cwd: folder }).catch((error: unknown) => (error as { stdout: string }).stdout)).resolves.toMatchObject({ stdout: '' });
});
