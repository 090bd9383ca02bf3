import workerUrl from './feed.worker?worker&url';
import type { FromWorker, Transport } from './protocol';

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(input: string): string };
}

// A policy of that name can be made once in the life of a page.
let script: string | undefined;

/** A worker of the page. Its script has one fixed URL, and the policy can name no other; the first message says what it is. */
export function startWorker(name: string): Worker {
  const trusted = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  script ??= trusted?.createPolicy('sockscope-worker', { createScriptURL: () => workerUrl }).createScriptURL('') ?? workerUrl;
  return new Worker(script, { type: 'module', name });
}

/** The worker that holds the WebSocket. */
export function workerTransport(): Transport {
  const worker = startWorker('sockscope feed');
  const transport: Transport = {
    onmessage: () => undefined,
    post: (message) => {
      worker.postMessage(message);
    },
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    transport.onmessage(data);
  };
  return transport;
}
