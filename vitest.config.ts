import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Where it is set, each start of Node reads all those certificates, and the tests start Node a thousand times. None of them
// speaks to anybody outside.
delete process.env.NODE_EXTRA_CA_CERTS;

/** In this order before all others: what begins last should be short. A process of its own for each, as for all of `processes`. */
const longest = [
  'bench/quick',
  'conformance/stores',
  'conformance/wire.workers',
  'conformance/wire',
  'fault/store-crash',
  'cli/sync',
  'e2e/combinations',
  'cli/checkout.interrupt',
  'meta/etcd-kv',
  'meta/raft/raft-kv',
  'sim/planted-bugs',
  'conformance/wire.stock',
  'e2e/raft-kill',
  'cli/user',
  'e2e/node-modules',
  'e2e/tree-round-trip',
  'file/file-service.model',
  'e2e/kill',
  'fault/store-errors',
  'conformance/kv-raft',
  'cli/cluster',
  'api/rpc/lane/lane.differential',
].map((name) => `test/${name}.test.ts`);

/** They start processes and threads, or look at the memory of their own. */
const processes = [
  'test/{bench,cli,e2e,sim}/**/*.test.ts',
  'test/*.test.ts',
  'test/api/http/serve-tree.test.ts',
  'test/blake3/hasher.test.ts',
  'test/server/{config,face-workers}.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification) => {
      const at = longest.findIndex((path) => moduleId.endsWith(path));
      // The many that share processes fill in where the others leave time.
      return at >= 0 ? at : longest.length + (project.config.isolate ? 0 : 1);
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    // Tests wait for disks and for each other's processes, so that one more than there are processors keeps them busy.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'apart',
          include: [...longest, ...processes],
          globalSetup: ['test/support/bundle-command.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...longest, ...processes],
          // One process after another would load the same modules two hundred times.
          isolate: false,
        },
      },
    ],
  },
});
