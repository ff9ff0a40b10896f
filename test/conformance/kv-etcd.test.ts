// The metadata suite over a real etcd.

import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { EtcdKv } from '../../src/meta/etcd-kv.js';
import { type EtcdCluster, etcdProgram, startEtcd } from '../support/etcd.js';
import { describeWith } from '../support/shared.js';
import { kvSuite } from './kv.js';

describeWith('with a real etcd', 'etcd', etcdProgram, (program) => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await startEtcd(program, 1);
  });
  afterAll(() => cluster.stop());

  kvSuite({
    name: 'EtcdKv',
    open: async () => {
      const open = () => new EtcdKv({ endpoints: cluster.endpoints, prefix: 'cairn/', clock: systemClock });
      let kv = open();
      return {
        kv,
        async reopen() {
          await kv.close();
          kv = open();
          return kv;
        },
        close: () => kv.close(),
      };
    },
  });
});
