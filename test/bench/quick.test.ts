// The bench still runs. How fast it is says nothing here.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { projectRoot } from '../support/project-root.js';

it('runs every scenario to its end', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'bench', '--', '--quick'], {
    cwd: projectRoot,
    timeout: 180_000,
  });
  const titles = [...stdout.matchAll(/^## (\w+)/gm)].map(([, title]) => title);
  expect(titles).toEqual([
    'Small',
    'Small',
    'Download',
    'Upload',
    'GET',
    'PUT',
    'Small',
    'Small',
    'Ranges',
    'Waiting',
    'Negotiate',
    'Find',
    'Many',
    'Hash',
    'Sync',
    'Sync',
    'Files',
    ...Array(5).fill('Metadata'),
    'Elections',
    'Workers',
    'Memory',
  ]);
}, 200_000);
