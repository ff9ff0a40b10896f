// Runs in a browser, on a page of another origin than Cairn's: uploads files with Uppy as it comes, asks for what pages ask for,
// and tells the server of the page what it saw. Plain JavaScript: the types of browsers stay out of the project.

import { Uppy } from '@uppy/core';
import Tus from '@uppy/tus';

async function uploadWithUppy({ api, names, chunkSize }, content) {
  const uppy = new Uppy();
  const fileIds = [];
  uppy.use(Tus, {
    endpoint: `${api}/tus`,
    chunkSize,
    retryDelays: [0, 100, 1000],
    onAfterResponse: (_request, response) => {
      const id = response.getHeader('X-File-Id');
      if (id != null) fileIds.push(id);
    },
  });
  const ids = names.map((name) => uppy.addFile({ name, type: 'image/x-test', data: content }));
  let pauses = 0;
  uppy.on('upload-progress', (_file, { bytesUploaded }) => {
    if (pauses > 0 || bytesUploaded === 0) return;
    // Going on asks the server how far it is.
    pauses++;
    uppy.pauseResume(ids[0]);
    setTimeout(() => uppy.pauseResume(ids[0]), 50);
  });
  const result = await uppy.upload();
  return { fileIds, pauses, failed: (result?.failed ?? []).map(({ error }) => `${error}`) };
}

async function downloadPart(api, fileId) {
  const answer = await fetch(`${api}/files/${fileId}`, { headers: { range: 'bytes=10-19' } });
  const { headers, status } = answer;
  const names = ['Content-Range', 'Content-Disposition', 'ETag', 'Accept-Ranges'];
  return {
    status,
    length: (await answer.arrayBuffer()).byteLength,
    ...Object.fromEntries(names.map((name) => [name, headers.get(name)])),
  };
}

async function work() {
  const task = await (await fetch('/task')).json();
  const content = await (await fetch('/content')).blob();
  const uploaded = await uploadWithUppy(task, content);
  const [first] = uploaded.fileIds;
  return { ...uploaded, downloaded: first == null ? undefined : await downloadPart(task.api, first) };
}

const report = await work().catch((error) => ({ failed: [`${error}`], fileIds: [], pauses: 0 }));
await fetch('/report', { method: 'POST', body: JSON.stringify(report) });
