// A test of many rounds may take hours in its long form. What one round waits for in vain is told long before.

const patienceMilliseconds = 60_000;

/** What `work` comes to. Fails when it is not over within a minute: it then waits for what does not come. */
export async function withinAMinute<T>(work: Promise<T>, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after a minute: ${what()}`)), patienceMilliseconds);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
