// Every bound in one place. A queue, buffer, batch, retry or message without a line here is a defect.
// Names end in what is counted: `BytesMax`, `CountMax`, `MillisecondsMax`.

const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;

export const limits = {
  /** Largest blob. Larger things are files made of chunks. */
  blobBytesMax: 1024 * gib,
  /** Checksummed unit of stored bytes. */
  blockBytes: 64 * kib,
  /** Most bytes one `BlobHandle.read` may ask for, and so the read-ahead of one reader. */
  readBytesMax: mib,
  /** Blobs up to this many bytes are records of the log; larger ones have files of their own. */
  packedBlobBytesMax: 64 * kib,

  /** A segment that has reached this size takes no further record. */
  segmentBytesTarget: 256 * mib,
  /** Bytes of records that one group commit writes. */
  groupCommitBytesMax: 4 * mib,
  /** Bytes of records waiting for a group commit; an append beyond it waits for room. */
  appendQueueBytesMax: 64 * mib,

  /** Digests in one NegotiateBlobs or FindMissing request: the answer that lists them all still fits `answerBytesMax`. */
  digestsPerRequestCountMax: 65_536,
  /** Items in one batch call. */
  batchItemsCountMax: 4096,
  /** Largest message we accept: a 16 MiB chunk and its envelope. */
  requestMessageBytesMax: 16 * mib + 64 * kib,
  /** Largest message we send; stock gRPC clients refuse 4 MiB. */
  answerBytesMax: 3 * mib,
  listPageCountDefault: 1000,
  listPageCountMax: 10_000,
} as const;
