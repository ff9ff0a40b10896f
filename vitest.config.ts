import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Where it is set, each start of Node reads all those certificates, and the tests start Node a thousand times. None of them
// speaks to anybody outside.
delete process.env.NODE_EXTRA_CA_CERTS;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The default leaves a core free, which on a machine with two of them leaves one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
