import { expect, it } from 'vitest';
import { TemporaryFiles } from '../../src/cas/temporary-files.js';
import type { OpenFile } from '../../src/log/file-system.js';
import { FaultFileSystem } from '../support/fault-file-system.js';
import { seededRandom } from '../support/random.js';

it('removes a file whose close fails, and says so', async () => {
  const fs = new FaultFileSystem();
  const files = new TemporaryFiles(fs, seededRandom(1), '/data');
  await files.empty();
  const made = await files.create();
  expect(fs.paths()).toEqual([made.path]);
  const failing: OpenFile = {
    ...made,
    path: made.path,
    close: () => Promise.reject(new Error('close')),
  };
  await expect(files.remove(failing)).rejects.toThrow('close');
  expect(fs.paths()).toEqual([]);
});
