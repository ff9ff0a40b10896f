// Waiting for several things at once when what they work on must be left alone before it is used again.

/** As `Promise.all`, but fails only when all have come to an end. */
export async function allDone<T extends readonly unknown[]>(
  tasks: {
    readonly [K in keyof T]: Promise<T[K]>;
  },
): Promise<T> {
  await Promise.allSettled(tasks);
  return (await Promise.all(tasks)) as unknown as T;
}
