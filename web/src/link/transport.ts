import workerUrl from './feed.worker?worker&url';
import type { FromWorker, Transport } from './protocol';

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(input: string): string };
}

/** The worker that holds the WebSocket. Its script has one fixed URL, and the policy can name no other. */
export function workerTransport(): Transport {
  const trusted = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  const url = trusted?.createPolicy('sockscope-worker', { createScriptURL: () => workerUrl }).createScriptURL('') ?? workerUrl;
  const worker = new Worker(url, { type: 'module', name: 'sockscope feed' });
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
