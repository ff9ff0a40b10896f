// Forms as clients send them.

const boundary = 'xYzZy';

export interface FormFile {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** Of the form's field; `file` without. */
  readonly field?: string;
}

export const formHeaders = { 'content-type': `multipart/form-data; boundary=${boundary}` };

/** The body of a form with these files. */
export function formOf(...files: readonly FormFile[]): Buffer {
  const parts = files.flatMap(({ name, content, field = 'file' }) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="${quoted(name)}"\r\n`,
    'Content-Type: application/octet-stream\r\n\r\n',
    content,
    '\r\n',
  ]);
  return Buffer.concat([...parts, `--${boundary}--\r\n`].map((part) => Buffer.from(part as string)));
}

function quoted(name: string): string {
  return name.replace(/["\\]/g, '\\$&');
}
