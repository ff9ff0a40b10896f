// The first bytes of an upload's message, until they tell whether it is an ordinary chunk: UploadRequest.chunk (field 2,
// length-delimited), its length, and then nothing but the chunk's bytes. They may come one at a time.

const chunkTag = 0x12;
/** Tag and length of the longest message we take. */
const prefixBytesMax = 5;

export class ChunkPrefix {
  readonly #bytes = new Uint8Array(prefixBytesMax);
  #count = 0;
  #length = 0;

  /** For the next message. */
  reset(): void {
    this.#count = 0;
    this.#length = 0;
  }

  /** What was taken. The buffer is the caller's. */
  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#count);
  }

  /**
   * Takes one byte, after which `remaining` bytes of the message are left. Whether those are a chunk's; undefined while
   * that is not known.
   */
  take(byte: number, remaining: number): boolean | undefined {
    const index = this.#count++;
    this.#bytes[index] = byte;
    if (index === 0) return byte === chunkTag && remaining > 0 ? undefined : false;
    this.#length |= (byte & 0x7f) << (7 * (index - 1));
    if (byte < 0x80) return this.#length === remaining;
    return this.#count === prefixBytesMax || remaining === 0 ? false : undefined;
  }
}
