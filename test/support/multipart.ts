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

export interface MixedPart {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The parts of a `multipart/mixed` answer, each as long as it says. */
export function partsOf({ headers, body }: { headers: Readonly<Record<string, string>>; body: Buffer }): MixedPart[] {
  const delimiter = `--${/boundary=(\S+)/.exec(headers['content-type'] ?? '')?.[1]}`;
  const parts: MixedPart[] = [];
  let at = 0;
  const take = (expected: string) => {
    const found = body.toString('latin1', at, at + expected.length);
    if (found !== expected)
      throw new Error(`expected ${JSON.stringify(expected)} at ${at}, found ${JSON.stringify(found)}`);
    at += expected.length;
  };
  take(delimiter);
  while (body.toString('latin1', at, at + 2) !== '--') {
    take('\r\n');
    const end = body.indexOf('\r\n\r\n', at);
    const lines = body.toString('latin1', at, end).split('\r\n');
    const head = Object.fromEntries(
      lines.map((line) => [line.split(': ')[0]!.toLowerCase(), line.replace(/^[^:]*: /, '')]),
    );
    at = end + 4;
    const length = Number(head['content-length']);
    parts.push({ headers: head, body: body.subarray(at, at + length) });
    at += length;
    take(`\r\n${delimiter}`);
  }
  take('--\r\n');
  if (at !== body.length) throw new Error('something follows the last part');
  return parts;
}
