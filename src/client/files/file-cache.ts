// What is known of files, for as many of them as fit; the one looked at longest ago goes first. Who uses an entry asks the
// server whether it still holds.

export class FileCache<Info> {
  readonly #entries = new Map<string, { readonly etag: string; readonly info: Info }>();
  readonly #size: number;

  /** At most so many entries; 0 keeps none. */
  constructor(size: number) {
    this.#size = size;
  }

  get(fileId: string): { readonly etag: string; readonly info: Info } | undefined {
    const entry = this.#entries.get(fileId);
    if (entry !== undefined) this.#put(fileId, entry);
    return entry;
  }

  put(fileId: string, etag: string, info: Info): void {
    if (this.#size === 0) return;
    this.#put(fileId, { etag, info });
    if (this.#entries.size > this.#size) this.#entries.delete(this.#entries.keys().next().value!);
  }

  delete(fileId: string): void {
    this.#entries.delete(fileId);
  }

  #put(fileId: string, entry: { readonly etag: string; readonly info: Info }): void {
    this.#entries.delete(fileId);
    this.#entries.set(fileId, entry);
  }
}
