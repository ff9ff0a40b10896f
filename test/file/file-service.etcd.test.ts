// Files over the metadata of another cluster: two nodes at once, nothing between them but etcd and the blobs.

import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { MemoryStaging } from '../../src/cas/memory-staging.js';
import { FileService } from '../../src/file/file-service.js';
import { UploadSessions } from '../../src/file/upload-sessions.js';
import { EtcdKv } from '../../src/meta/etcd-kv.js';
import { etcdProgram, startEtcd } from '../support/etcd.js';
import { bytesOf, streamOf, withFiles } from '../support/file-service.js';
import { describeWith } from '../support/shared.js';

describeWith('files over etcd', 'etcd', etcdProgram, (program) => {
  it('are the same for two nodes', { timeout: 120_000 }, async () => {
    const cluster = await startEtcd(program, 1);
    const kvs = [0, 1].map(() => new EtcdKv({ endpoints: cluster.endpoints, prefix: 'files/', clock: systemClock }));
    try {
      await withFiles(async ({ parts }) => {
        const [one, two] = kvs.map((kv) => new FileService({ ...parts, kv })) as [FileService, FileService];
        const names = Array.from({ length: 8 }, (_, i) => `name-${i}`);
        const upload = (files: FileService, name: string) => files.upload(name, Buffer.from(name));
        const stored = await Promise.all(names.flatMap((name) => [upload(one, name), upload(two, name)]));
        expect(stored.map(({ version }) => version).sort()).toEqual([...names.map(() => 1), ...names.map(() => 2)]);
        expect((await one.list()).items).toEqual((await two.list()).items);
        expect(await two.counts()).toMatchObject({ files: names.length, versions: 2 * names.length });
        await one.delete(stored[0]!.fileId);
        await expect(two.info(stored[0]!.fileId)).rejects.toMatchObject({ code: 'not_found' });
        expect((await two.list()).total).toBe(names.length - 1);

        // The open end of a session is on the node that took it: the other node goes on at the last whole chunk.
        const sessions = kvs.map(
          (kv) => new UploadSessions({ ...parts, kv, staging: new MemoryStaging(), report: () => {} }),
        );
        const { uploadId } = await sessions[0]!.create('session', 6);
        await sessions[0]!.append(uploadId, 0, streamOf([Buffer.from('abc')]));
        const elsewhere = sessions[1]!.append(uploadId, 3, streamOf([Buffer.from('def')]));
        await expect(elsewhere).rejects.toMatchObject({ code: 'conflict' });
        const { offset } = await sessions[1]!.info(uploadId);
        expect(offset).toBe(0);
        await sessions[1]!.append(uploadId, offset, streamOf([Buffer.from('abcdef')]));
        const { fileId } = await sessions[1]!.complete(uploadId);
        expect(String(await bytesOf((await one.open(fileId)).bytes()))).toBe('abcdef');
      });
    } finally {
      await Promise.all(kvs.map((kv) => kv.close()));
      await cluster.stop();
    }
  });
});
