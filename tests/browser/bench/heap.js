// What the page holds in memory: both its threads, their objects, and the buffers behind them.

/** Answers a function that measures, in bytes. It collects no garbage: what lies about is held, too. */
export async function heapOf(context, page) {
  const devtools = await context.newCDPSession(page);
  const workers = new Set();
  const waiting = new Map();
  let calls = 0;
  devtools.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => targetInfo.type === 'worker' && workers.add(sessionId));
  devtools.on('Target.detachedFromTarget', ({ sessionId }) => workers.delete(sessionId));
  devtools.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.(result);
  });
  // Not flattened: the client has no sessions for workers, so what is said to one goes through its page.
  await devtools.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const ask = (sessionId) =>
    new Promise((resolve) => {
      calls += 1;
      waiting.set(calls, resolve);
      void devtools.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id: calls, method: 'Runtime.getHeapUsage' }) });
    });
  return async () => {
    if (workers.size === 0) throw new Error('the page has no worker to measure');
    const parts = [await devtools.send('Runtime.getHeapUsage'), ...(await Promise.all([...workers].map(ask)))];
    return parts.reduce((sum, { usedSize, embedderHeapUsedSize, backingStorageSize }) => sum + usedSize + embedderHeapUsedSize + backingStorageSize, 0);
  };
}
