import { ApiError, type ExportFormat } from '../link/api';
import { NoReply } from '../link/connection';
import type { ClientFrame, OpenRequest, PeerKind, Problem, Reply, Socket, SocketId, SocketOptions } from '../wire/generated';
import { encodeBase64 } from '../model/bytes/base64';
import { say, t } from '../ui/i18n/lang.svelte';
import { notices } from './notices.svelte';
import { scope } from './scope.svelte';
import { settings } from './settings.svelte';
import { view } from './view.svelte';

/** Sends up to this size travel on the WebSocket; larger ones as a request of their own. */
export const SOCKET_SEND_BYTES = 48 * 1024;

/** The most bytes one send takes. */
export const SEND_BYTES = 1024 * 1024;

/** The sentence of a problem. */
export function problemText(problem: Problem): string {
  return say(problem.code, {
    ...(problem.errno === undefined ? {} : { errno: problem.errno }),
    ...(problem.phase === undefined ? {} : { phase: problem.phase }),
    ...(problem.rule === undefined ? {} : { rule: problem.rule }),
    ...(problem.params === undefined ? {} : { params: problem.params as Record<string, string> }),
  });
}

/** The sentence of whatever went wrong with a request or a command. */
export function errorText(error: unknown): string {
  if (error instanceof NoReply) return t().errors[error.why];
  if (error instanceof ApiError) {
    if (error.problem !== undefined) return problemText(error.problem);
    return error.status === 0 ? t().errors.network : t().errors.http(error.status);
  }
  throw error;
}

/** Gives a command; a problem is said and answered as undefined. */
async function command(wish: Omit<ClientFrame, 'id'>): Promise<Reply | undefined> {
  try {
    const reply = await scope.connection.command(wish);
    if (reply.problem === undefined) return reply;
    notices.error(problemText(reply.problem));
  } catch (error) {
    notices.error(errorText(error));
  }
  return undefined;
}

/** Opens a socket and looks at it. */
export async function open(request: OpenRequest): Promise<boolean> {
  const reply = await command({ open: request });
  if (reply?.socket !== undefined) {
    if (scope.catchingUp > 0) await scope.connection.refresh();
    view.choose(reply.socket);
    view.latest();
  }
  return reply !== undefined;
}

/** Opens another socket with the target, options and name of one. */
export async function openLike(socket: Socket): Promise<void> {
  const options = Object.keys(socket.options).length > 0 ? { options: { ...socket.options } } : {};
  await open({ open: socket.target, ...(socket.name === null ? {} : { name: socket.name }), ...options });
}

/** Closes a socket, cancels its opening, or removes a closed one from the list. */
export async function close(id: string, how: { reset?: boolean; children?: boolean } = {}): Promise<void> {
  await command({ close: { socket: id, ...how } });
}

/** Sends FIN and keeps reading. */
export async function halfClose(id: string): Promise<void> {
  await command({ shutdown: { socket: id, how: 'write' } });
}

/** Gives a socket a name; an empty one takes it away. */
export async function rename(id: string, name: string): Promise<void> {
  await command({ set: { socket: id, name } });
}

/** Asks for an option of a living socket; what the kernel grants is a fact of the log. */
export async function setOption(id: string, options: SocketOptions): Promise<void> {
  await command({ set: { socket: id, options } });
}

/** Sends bytes; answers whether they were accepted. */
export async function send(id: string, bytes: Uint8Array, to?: string): Promise<boolean> {
  const where = to === undefined ? {} : { to };
  if (bytes.length <= SOCKET_SEND_BYTES) return (await command({ send: { socket: id, base64: encodeBase64(bytes), ...where } })) !== undefined;
  try {
    await scope.api.send(id, bytes, to);
    return true;
  } catch (error) {
    notices.error(errorText(error));
    return false;
  }
}

/** Starts a practice peer and opens a socket to it. */
export async function practise(peer: PeerKind): Promise<void> {
  try {
    const { target } = await scope.api.startPeer(peer);
    await open({ open: target, name: t().words.peers[peer].name });
  } catch (error) {
    notices.error(errorText(error));
  }
}

/** Stops a practice peer. */
export async function stopPeer(id: string): Promise<void> {
  try {
    await scope.api.stopPeer(id);
  } catch (error) {
    notices.error(errorText(error));
  }
}

/** Clears the log for every viewer. */
export async function clearLog(): Promise<void> {
  try {
    await scope.api.trim(scope.log.head, scope.log.epoch);
  } catch (error) {
    notices.error(errorText(error));
  }
}

/** The conversation of a socket, or of all. */
export async function conversation(format: ExportFormat, socket?: SocketId): Promise<Blob | undefined> {
  try {
    return await scope.api.export(format, socket);
  } catch (error) {
    notices.error(errorText(error));
    return undefined;
  }
}

/** Saves the conversation of a socket, or of all, as a file. */
export async function save(format: ExportFormat, socket?: SocketId): Promise<void> {
  const blob = await conversation(format, socket);
  if (blob === undefined) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `sockscope-${socket ?? 'all'}.${format === 'text' ? 'txt' : format}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Copies a text, and says so. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notices.remark(t().detail.copied);
  } catch {
    notices.error(t().detail.copyFailed);
  }
}

/** Shows or hides practice peers' own sockets. */
export function showHidden(hidden: boolean): void {
  settings.set('hidden', hidden);
  view.refilter();
}
