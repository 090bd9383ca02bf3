// Waiting for what should become true, under a deadline; nothing in these tests sleeps for a guessed time.

const PATIENCE_MS = 15_000;

/** Repeats `check` until it neither throws nor returns false, and answers what it returned. */
export async function eventually(what, check, patience = PATIENCE_MS) {
  const deadline = performance.now() + patience;
  for (;;) {
    let reason;
    try {
      const result = await check();
      if (result !== false) return result;
    } catch (error) {
      reason = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited in vain until ${what}${reason ? `: ${reason.message}` : ''}`, { cause: reason });
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Fails where `promise` takes longer than `patience`. */
export async function within(what, promise, patience = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain until ${what}`)), patience);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
