// Uppy as it comes, in a real browser, on a page of another origin: through the tus route, and back byte for byte.

import { expect, it } from 'vitest';
import { browserProgram, servePage, whileOpen } from '../support/browser.js';
import { FileServer } from '../support/file-server.js';
import { seededRandom } from '../support/random.js';
import { describeWith } from '../support/shared.js';

/** What test/support/uppy-page.js reports. */
interface PageReport {
  /** Of the files, as the answers said that made them. */
  readonly fileIds: readonly string[];
  readonly failed: readonly string[];
  readonly pauses: number;
  readonly downloaded?: Readonly<Record<string, string | number | null>>;
}

const content = Buffer.from(seededRandom(5).bytes(5_000_000));
const names = ['photo.jpg', 'a "quoted" 文件.png'];

/** What a page sees that Cairn lets in, or does not. */
async function uploadFromPage(program: string, allowed: boolean): Promise<{ report: PageReport; server: FileServer }> {
  const server = await FileServer.start();
  const task = () => ({ api: `${server.url}/api/v1`, names, chunkSize: 1_000_000 });
  const page = await servePage('./uppy-page.js', { '/task': () => JSON.stringify(task()), '/content': () => content });
  try {
    if (allowed) await server.restart({ corsOrigins: [page.origin] });
    const report = JSON.parse(await whileOpen(program, page.origin, page.report)) as PageReport;
    return { report, server };
  } finally {
    page.close();
  }
}

describeWith('Uppy', 'chromium-headless-shell', browserProgram, (program) => {
  it('uploads from a page of an origin that is let in, pauses and goes on', { timeout: 120_000 }, async () => {
    const { report, server } = await uploadFromPage(program, true);
    try {
      expect(report).toMatchObject({ failed: [], pauses: 1 });
      expect(report.fileIds.length).toBe(names.length);
      const { data } = await server.call('GET', '/api/v1/files');
      expect(data).toMatchObject({ total: 2, files: [{ file_name: names[1] }, { file_name: names[0] }] });
      for (const fileId of report.fileIds) {
        const { body } = await server.ask('GET', `/api/v1/files/${fileId}`);
        expect(body.equals(content)).toBe(true);
        const info = await server.call('GET', `/api/v1/files/${fileId}/info`);
        expect(info.data).toMatchObject({ content_type: 'image/x-test', version: 1 });
      }
      expect(report.downloaded).toMatchObject({
        status: 206,
        length: 10,
        'Content-Range': `bytes 10-19/${content.length}`,
        'Content-Disposition': expect.stringContaining('attachment'),
        ETag: expect.any(String),
        'Accept-Ranges': 'bytes',
      });
    } finally {
      await server.close();
    }
  });

  it('uploads nothing from a page of another origin', { timeout: 120_000 }, async () => {
    const { report, server } = await uploadFromPage(program, false);
    try {
      expect(report.failed.length).toBeGreaterThan(0);
      expect((await server.call('GET', '/api/v1/files')).data?.total).toBe(0);
      expect((await server.call('GET', '/api/v1/uploads')).data?.total).toBe(0);
    } finally {
      await server.close();
    }
  });
});
