// Every bound in one place. A queue, buffer, batch, retry or message without a line here is a defect.
// Names end in what is counted: `BytesMax`, `CountMax`, `MillisecondsMax`.

import { raftLimits } from './raft-limits.js';

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
  /** Entries of a large blob's checksum table that a reader fetches at once: enough for 256 MiB, 16 KiB of memory. */
  checksumPageBlocks: 4096,
  /** Such pages of one blob that are kept while it is open; a table of no more is fetched as a whole. */
  checksumPagesCountMax: 8,
  /** Pieces of a block whose checksums are remembered, so that a range need not read and check the whole of its outer blocks. */
  blockPieceBytes: 4 * kib,
  /** Files of large blobs that a thread keeps open for the next reader, and memory for their checksums. */
  openLargeFilesCountMax: 256,
  openLargeFilesBytesMax: 64 * mib,
  /** Time after which one that nobody reads is closed. */
  openLargeFileIdleMilliseconds: 60_000,
  /** Bytes one write holds between two pieces of its source. At least `packedBlobBytesMax`. */
  spoolBufferBytes: 64 * kib,
  /** Pieces of a large blob from here on are written as they come; smaller ones are gathered up to `spoolBufferBytes`. */
  spoolGatheredBytesMax: 32 * kib,
  /** So much of a large blob is written before a sync begins beside the writing. */
  syncAheadBytes: 16 * mib,

  /** A segment that has reached this size takes no further record. */
  segmentBytesTarget: 256 * mib,
  /** Records that compaction has under way at once. */
  compactionAppendsMax: 256,
  /** Records that compaction looks at in one turn of the event loop. */
  compactionStepRecordsMax: 256,
  /** Rows of the index read or changed in one step. */
  indexStepRowsMax: 500,
  /** Changed rows at which the index is written without waiting for the next round of maintenance. */
  indexLagRowsMax: 65_536,
  /** Hashes that a filter holds without need, beyond as many as there are blobs, before it is built anew. */
  filterStaleCountMin: 100_000,
  /** The table is saved again after so many changes, and one for so many rows; or so many bytes of the log, for each of its own. */
  tableSaveChangesMin: 250_000,
  tableSaveRowsPerChange: 4,
  tableSaveLogBytesMin: 256 * mib,
  tableSaveLogBytesPerByte: 8,
  /** Length of the CAIRN file of a data directory. */
  storeFileBytesMax: 4096,
  /** Bytes of the saved table written or read in one step. */
  tablePieceBytesMax: mib,
  /** Bytes of records that one group commit writes. */
  groupCommitBytesMax: 4 * mib,
  /** Records that one group commit writes: what is done for them between two turns of the event loop stays short. */
  groupCommitRecordsCountMax: 384,
  /** Bytes of records waiting for a group commit; an append beyond it waits for room. */
  appendQueueBytesMax: 64 * mib,
  /** Of those who wait for room, so many are let in in one turn of the event loop. */
  appendersLetInCountMax: 64,
  /** Small blobs of one `writeMany` that are hashed and queued in one turn of the event loop: so many, or so many bytes. */
  /** Small blobs that all `writeMany` together hash and queue in one turn of the event loop: so many, or so many bytes. */
  writeSliceCountMax: 256,
  writeSliceBytesMax: mib,
  /** Payloads up to here are copied next to their records' heads before they are written; larger ones go out as they are. */
  gatheredPayloadBytesMax: 8 * kib,
  /** Bytes of waiting records at which an append that did not wait for room is refused. */
  appendQueueBytesRefused: 256 * mib,
  /** Largest meta and largest payload of a record. */
  recordMetaBytesMax: 4 * kib,
  recordPayloadBytesMax: 256 * mib,
  /** Bytes a scan of the log holds at a time. At least a record's header, meta and largest block table. */
  scanWindowBytes: mib,
  /** Bytes that opening a record reads at most before it knows how long the record is. */
  recordFirstReadBytesMax: 136 * kib,
  /** The same for a record whose payload is longer. */
  recordHeadReadBytes: 4 * kib,
  /** A read up to here may be made in this turn of the event loop: a record with a small blob in it. */
  promptReadBytesMax: 68 * kib,
  /** Memory that small ones are read into, and pieces of it that wait for the next. */
  spareRecordBytes: 17 * kib,
  spareRecordsCountMax: 64,
  /** What such a read spares beside the copying, which a thread would do as slowly; and the most it is charged for its time. */
  promptReadWorthMicroseconds: 20,
  promptReadCopiedBytesPerMicrosecond: 4 * kib,
  promptReadChargeMillisecondsMax: 5,
  /** A read that took longer may have waited for a processor: the system is asked. */
  promptReadSlowMicroseconds: 200,
  /** The most that is saved up, and how long none is made when what was saved is used up. */
  promptReadCreditMillisecondsMax: 20,
  promptReadPauseMillisecondsMin: 10,
  promptReadPauseMillisecondsMax: 1000,
  /** How long a write from a thread beside the store's own goes on before it asks to be told when another stores its blob. */
  sharedStoredQuestionMilliseconds: 50,
  /** Segments that a thread beside the log's own keeps open for reading. */
  sharedSegmentsCountMax: 256,
  /** Segments whose headers are read at the same time when a log is opened. */
  segmentOpensCountMax: 64,

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
  /** Of the lists that people look at: accounts, tokens. */
  shortPageCountDefault: 20,
  shortPageCountMax: 100,

  /** A client's receive window for one stream at its widest, and for all streams of its session together. */
  clientStreamWindowBytes: 2 * mib,
  clientSessionWindowBytes: 32 * mib,
  /** What the window of a stream that carries blobs starts with, and the pieces of 16 KiB that must be read to widen it. */
  clientFirstStreamWindowBytes: 128 * kib,
  clientEarnedReadsCountMin: 32,
  /** Largest HTTP/2 frame a client takes. */
  clientFrameBytesMax: mib,
  /** Quiet time after which a client asks whether the server is still there, and how long it waits for the answer. */
  clientPingIntervalMilliseconds: 10_000,
  clientPingMillisecondsMax: 10_000,
  /** Age at which a client no longer presents a token for the first time: the server lets it die soon after. */
  clientTokenMillisecondsMax: 30_000,
  /** Transfers a client runs at once, whatever a server recommends. */
  clientTransfersCountMax: 64,
  /** Digests in one message of a client's negotiation. */
  negotiateCountMax: 8192,
  /** Blobs that `putMany` takes together from its source: so many, or fewer that reach so many bytes. */
  putGroupCountMax: 4096,
  putGroupBytesMax: 16 * mib,
  /** Groups of `putMany` between being taken from the source and having all their uploads started. */
  putGroupsUnderWayCountMax: 2,
  /** Blobs up to here travel together in BatchWrite, up to `batchWriteBytesMax` of them in one message. */
  batchedBlobBytesMax: 64 * kib,
  batchWriteBytesMax: 4 * mib,
  /** Blobs asked for in one BatchRead: their sum leaves room for the envelope below `answerBytesMax`. */
  batchReadBytesMax: 2 * mib + 512 * kib,
  /** Bytes of one message of an upload. */
  uploadChunkBytes: mib,
  /** What a client holds of a stream whose digest nobody told it. */
  unnamedSourceBytesMax: 64 * mib,
  /** Attempts in a row that bring no byte, before a download is given up; waits between them double up to the second. */
  downloadAttemptsCountMax: 6,
  downloadRetryMillisecondsMin: 100,
  downloadRetryMillisecondsMax: 5000,

  /** Threads that hash files for one command. */
  hashThreadsCountMax: 8,
  /** Files up to here are hashed together in one task: so many, or fewer that reach so many bytes. */
  hashTaskFileBytesMax: mib,
  hashTaskFilesCountMax: 256,
  hashTaskBytesMax: 8 * mib,
  /** Files of a directory that is synced that are read in one task; their small ones fill at most one BatchWrite. */
  syncTaskFilesCountMax: 1024,
  /** Tasks handed to each hashing thread ahead of time. */
  hashTasksAheadCountMax: 3,
  /** Times a file is read that changes meanwhile, and rounds in which files that changed before they were sent are read. */
  fileReadAttemptsCountMax: 3,
  syncRoundsCountMax: 3,
  /** How much later than its last change a file must be read, so that no further change can look the same. */
  fileTimeGranularityMilliseconds: 100,
  /** Largest memory of unchanged files: some five million of them. */
  memoryFileBytesMax: gib,
  /** Paths beyond it are reported: macOS takes no more. */
  portablePathBytesMax: 1024,
  /** Quiet time that ends a burst of changes to a watched directory, and how long a burst may put off looking at it. */
  watchQuietMilliseconds: 100,
  watchBurstMillisecondsMax: 2000,
  /** Waits between attempts to reach a server that went away; they double. */
  watchRetryMillisecondsMin: 200,
  watchRetryMillisecondsMax: 10_000,
  /** Time between two looks at a directory that cannot be watched. */
  watchPollMilliseconds: 5000,
  /** Output held back for the sake of its order or of a slow reader before the command waits. */
  outputBytesMax: 64 * kib,
  /** Bytes of one part of a download in parts. */
  downloadPartBytes: 8 * mib,
  /** Parts of one download fetched at once. */
  downloadJobsCountMax: 32,
  /** Lines of `cairn missing` asked together. */
  missingLinesCountMax: 8192,

  /** Directories that a checkout holds open at once, those on the way to the present one aside. */
  openDirectoriesCountMax: 512,
  /** Bytes of a tree's nodes that a checkout remembers between checking the tree and writing its files. */
  rememberedNodesBytesMax: 64 * mib,
  /** Blobs that a checkout asks for in one BatchRead: so many, or fewer of so many bytes together. */
  checkoutBatchCountMax: 512,
  checkoutBatchBytesMax: mib,
  /** Symbolic links that `cairn cat` follows, one after the other. */
  followedLinksCountMax: 40,

  /** Bytes of one name and of a whole path in a tree; what Linux file systems take. Link targets are bound like paths. */
  treeNameBytesMax: 255,
  treePathBytesMax: 4096,
  /** Bytes of one node of a tree. At most `packedBlobBytesMax` and `batchedBlobBytesMax`: nodes stay small blobs. */
  treeNodeBytesMax: 64 * kib,
  /** Levels of a tree, its leaves included. */
  treeHeightMax: 32,
  /** Nodes one reader of a tree keeps decoded. */
  treeNodesKeptCountMax: 64,
  /** Nodes one reader of a tree asks for at once, ahead of what it hands out. */
  treeNodesAheadCountMax: 32,
  /** Nodes whose place a client remembers, and nodes it keeps that nobody has asked for yet. */
  treePlacesKeptCountMax: 16_384,
  treeNodesFetchedCountMax: 128,
  /** Digests that `treeBlobs` gathers before it hands them out. */
  treeBlobsBatchCountMax: 4096,
  /** Characters of a path in an error message. */
  treeMessagePathCharactersMax: 512,

  /** Bytes of a key of the metadata: a path of a tree and room around it. */
  kvKeyBytesMax: 8 * kib,
  /** Compares, and operations of one branch, in one transaction of the metadata. etcd takes no more, nor more bytes. */
  kvOperationsCountMax: 128,
  kvTxnBytesMax: mib + 512 * kib,
  /** What each of them counts for beside its keys and values: more than the rest of it takes in etcd, prefixes included. */
  kvOperationBytes: 96,
  /** Keys one delete may hit: all of them are one batch. */
  kvDeletedCountMax: 10_000,
  /**
   * Keys of one page of a range, and bytes of their keys and values, of which the last may go beyond. One more value, and
   * all together still fit `answerBytesMax`.
   */
  kvPageCountMax: 1000,
  kvPageBytesMax: mib,
  /** Time for which earlier revisions of the metadata can be read, at least; up to twice as long. */
  kvHistoryMilliseconds: 600_000,
  /** What keys begin with in etcd. */
  etcdPrefixBytesMax: 32,
  /** How long etcd may owe the answer to a ping; asked as often as any server, since etcd minds more than one in 5 s. */
  etcdPingMillisecondsMax: 4000,
  /** One attempt of a call to etcd, which gives up by itself after 7 s, and all attempts of a call together. */
  etcdAttemptMillisecondsMax: 8000,
  etcdCallMillisecondsMax: 20_000,
  /** Waits between attempts, and before a watch that has lost its connection goes on; they double. */
  kvRetryMillisecondsMin: 20,
  kvRetryMillisecondsMax: 1000,
  /** A question about a member's status, which others wait for. */
  etcdStatusMillisecondsMax: 2000,
  /** Largest page taken from etcd, which knows no limit of its own: room for `kvPageBytesMax`; larger ones are asked in parts. */
  etcdPageBytesMax: 4 * mib,
  /** Largest answer to a transaction: as many full pages as it can have ranges. */
  etcdAnswerBytesMax: 320 * mib,
  /** A transaction as text, in which bytes may be base64. */
  kvInputBytesMax: 4 * mib,
  /** Values read at once, each as large as a transaction can be. */
  kvValuesReadCountMax: 32,
  /** Entries that changed nothing before their index is written all the same. */
  kvUnwrittenEntriesMax: 1024,
  /** Bytes of transactions that wait to be made durable, beyond which further ones are refused. */
  kvQueueBytesMax: 64 * mib,
  /** Transactions made durable together: so many, or fewer that reach so many bytes. */
  kvBatchCountMax: 1024,
  kvBatchBytesMax: 8 * mib,

  /** Average length of chunks cut by their contents; the remote-execution API has the same bounds. */
  cdcAverageBytesMin: kib,
  cdcAverageBytesMax: mib,
  /** Chunks of a fixed length. */
  fixedChunkBytesMax: gib,
  /** Chunks that a leaf of a manifest lists, and children that a branch has. Part of the format. */
  manifestRowsCountMax: 512,
  /** Levels of a manifest, its leaves included. */
  manifestHeightMax: 5,
  /** Bytes of one node of a manifest: 512 rows of 72 bytes behind a head of 24. */
  manifestNodeBytesMax: 24 + 512 * 72,
  /** A chunk up to here is gathered in memory, if the budget allows it, before it is stored: all that are cut by contents. */
  gatheredChunkBytesMax: 4 * mib,
  /** What an upload holds of its chunk without asking the budget. */
  gatheredChunkBytesMin: 64 * kib,
  /** Bytes of an upload at hand that are cut and hashed in one turn of the event loop. */
  uploadSliceBytes: mib,
  /** Chunks of one upload on their way to the disk while the next one is gathered. */
  chunkWritesUnderWayCountMax: 4,

  /** UTF-8 of a file's name. */
  fileNameBytesMax: 1024,
  filesPageCountDefault: 20,
  filesPageCountMax: 100,
  /** Beginnings of pages that are remembered while no file changes. */
  listMarksCountMax: 4096,
  /** Chunks that the answer to an upload lists, and a page of them: by default and at most. */
  uploadChunksListedCountMax: 1000,
  /** Bytes of a session that a crash may cost while they stream in without a pause. */
  uploadSaveBytes: 64 * mib,
  /** Quiet time after which another request may take over from one that brings no more bytes to its session. */
  uploadStalledMilliseconds: 5000,
  /** Life of a session that nobody goes on with, and of what is remembered of a complete one. */
  uploadLifeMilliseconds: 24 * 3600 * 1000,
  /** Time between two looks for sessions that have expired. */
  uploadSweepMilliseconds: 600_000,
  /** Times a change of a file is tried again because another was faster, and the longest wait in between. */
  commitAttemptsCountMax: 40,
  commitRetryMillisecondsMax: 32,

  /** Bytes a new connection may send before its protocol is known, and the time it has for the first few. */
  firstBytesMax: 24,
  firstBytesMillisecondsMax: 10_000,
  /** Time a request's headers may take; a whole request has none, since uploads may be long. */
  headersMillisecondsMax: 60_000,
  /** A kept-alive HTTP/1.1 connection without a request. */
  idleConnectionMillisecondsMax: 75_000,
  connectionsCountMax: 16_384,
  /** Worker threads of a server that was not told how many. */
  defaultWorkersCountMax: 4,
  /** The line that tells the owner's thread who is at the other end of a forwarded connection. */
  tunnelLineBytesMax: 4096,
  /** Names of this server that were found good, and need no second look. */
  hostsRememberedCountMax: 64,
  streamsPerSessionCountMax: 256,
  /** What a peer may send on one stream, and on one session, before we have taken it. */
  streamWindowBytes: 128 * kib,
  sessionWindowBytes: 16 * mib,
  /** The window of streams whose session has moved so much on one stream, while the budget grants it. */
  wideStreamWindowBytes: mib,
  earnedWindowBytes: 512 * kib,
  frameBytesMax: mib,
  /** Whatever one HTTP/2 session holds; streams beyond it are refused. Room for every stream's window and two pieces. */
  sessionMemoryMebibytesMax: 1024,

  /** Ranges that one GET may ask for, after overlapping ones were merged. */
  rangesPerRequestCountMax: 64,
  /** First read of a download; later ones double as the client takes them. */
  firstReadBytes: 64 * kib,
  /** Up to here, until the client has taken more than sockets and windows hold; from then on up to `readBytesMax`. */
  unprovenReadBytesMax: 256 * kib,
  provenReaderBytes: 16 * mib,
  /** A piece of a body that is not taken or not sent for so long counts as stalled: memory that waits for it is freed. */
  stalledPieceMilliseconds: 1000,
  /** A body in either direction that moves no byte for so long is given up. */
  stalledBodyMillisecondsMax: 300_000,
  /** Time a client has to read an early refusal before its connection is closed under its unread upload. */
  lingerMillisecondsMax: 2_000,
  /** Longest time that an operator may give to calls under way when the server stops: a day. */
  drainSecondsMax: 24 * 3600,
  /** Time that calls broken off at the end of a drain have to send their last words. */
  lastWordsMillisecondsMax: 500,

  /** A request's body in JSON. */
  jsonBodyBytesMax: mib,
  /** What a compressed body may grow to: so many bytes, and so many for each one that was sent. */
  decodedBodyBytesFree: 64 * mib,
  decodedBodyRatioMax: 100,
  /** Fields of a form beside its files, bytes of one, and the headers of one part. */
  formFieldsCountMax: 64,
  formFieldBytesMax: 64 * kib,
  partHeadersCountMax: 32,
  partHeaderBytesMax: 8 * kib,
  /** Files of one batch upload or download. */
  batchFilesCountMax: 1000,
  /** Chunks of one recovery task, tasks that wait for their turn, and tasks that are remembered. */
  recoveryChunksCountMax: 10_000,
  recoveryTasksWaitingCountMax: 16,
  recoveryTasksCountMax: 256,

  /** Blobs that we take together in one BatchWrite; our own client sends less. */
  batchWriteAcceptedBytesMax: 16 * mib,
  /** Blobs of one batch that are read at once. */
  batchConcurrencyMax: 64,
  /** Digests looked up in one turn of the event loop, so that other requests get theirs in between. */
  lookupSliceCountMax: 1024,
  /** Bytes of a request on the lane that nobody has asked for yet, at which its sender is held up. */
  laneHeldBytesMax: 32 * kib,
  /**
   * Pieces that uploads hand to the store: the first, and the largest it grows to, of the only upload there is and of one beside
   * others, so that all together do not keep other calls waiting. An upload has two of them.
   */
  laneBatchBytesMin: 32 * kib,
  laneBatchBytesMax: mib,
  laneBatchBytesBesideMax: 256 * kib,
  /** Runs of bytes that are held: beyond so many, those up to here are copied behind one another into blocks. */
  uncopiedRunsCountMax: 16,
  copiedRunBytesMax: kib,
  copiedRunsBlockBytes: 16 * kib,
  /** Bytes of messages that have to be whole, and of answers put together from blobs, of all RPCs together. */
  messageBudgetBytes: 256 * mib,
  /** Messages of this range are put together in memory that is used again, of which so many bytes wait for the next. */
  laneSpareBytesMin: 64 * kib,
  laneSpareBytesMax: 4 * mib + 512 * kib,
  laneSparesBytesMax: 18 * mib,
  /** Answers up to here are copied behind their envelope's head, into memory of which so many pieces wait for the next. */
  laneCopiedBytesMax: 16 * kib,
  laneFramesCountMax: 256,
  /** Bytes that all streams together hold beyond what each has from the start. */
  streamBudgetBytes: 64 * mib,
  /** Up to here the budget is for everybody, beyond it for readers that have proven to be fast. */
  unprovenBudgetBytes: 32 * mib,
  /** Payload of one Download message. */
  downloadMessageBytesMax: 256 * kib,
  /** Longest deadline a caller may set. Node's timers hold no more. */
  callMillisecondsMax: 2 ** 31 - 1,
  /** Digests of missing blobs that CheckTree names. */
  treeMissingCountMax: 1000,
  /** Trees that are remembered as complete. */
  completeTreesCountMax: 1024,
  /** Names that are looked up to find a path in a tree, those of the links on its way included. */
  treePathStepsCountMax: 1024,
  /** Entries of a directory that are listed over plain HTTP. */
  treeListingCountMax: 10_000,
  /** Files of an archive that are opened, and their first pieces read, ahead of the one being sent. */
  archiveFilesAheadCountMax: 16,
  /** Small pieces of an archive are gathered up to here before they are sent. */
  archivePieceBytes: 64 * kib,
  /** Characters of an error message about one item of a batch. */
  itemMessageCharactersMax: 96,
  ...raftLimits,
  /** Life of a transport token that nobody redeems. */
  transportTokenSecondsMax: 60,
  /** Redeemed tokens remembered; all are forgotten a token's life later. */
  spentTokensCountMax: 65_536,
  /** Tokens whose callers are remembered until a session owns them. */
  tokenHoldersCountMax: 4096,
  /** Tokens one HTTP/2 session may own. */
  tokensPerSessionCountMax: 64,

  /** Time between two looks at the certificates' files, and time before their end at which people are warned. */
  certificatesLookMilliseconds: 10_000,
  certificateEndMilliseconds: 14 * 24 * 3600 * 1000,
  /** Passwords that are hashed at once, 32 MiB each, and those that wait for it; beyond, logins are refused. */
  passwordHashesAtOnceCountMax: 2,
  passwordHashesWaitingCountMax: 64,
  /** Characters of a password: enough for a sentence, and hashed at no cost. */
  passwordCharactersMin: 8,
  passwordCharactersMax: 1024,
  /** Characters of an `Authorization` header that are looked at; our own tokens have some 250. */
  credentialCharactersMax: 4096,
  /** Credentials that were found good and need no second look, and for how long. */
  credentialsRememberedCountMax: 4096,
  credentialsRememberedMilliseconds: 300_000,
  /** Failed logins in a row before an account's name is closed to more, and the time after which one more may be tried. */
  failedLoginsByNameCountMax: 20,
  failedLoginByNameMilliseconds: 30_000,
  /** The same for an address, behind which many may sit. Registrations count, too. */
  failedLoginsByAddressCountMax: 60,
  failedLoginByAddressMilliseconds: 10_000,
  /** Names, and addresses, whose failures are remembered. */
  failedLoginsRememberedCountMax: 16_384,
  accountsCountMax: 10_000,
  emailCharactersMax: 254,
  /** Logins of one account that live at once; one more ends the oldest. */
  loginsPerAccountCountMax: 64,
  tokensPerAccountCountMax: 256,
  tokenLabelCharactersMax: 128,
  /** How long earlier signing keys may be good, and how many of them. */
  signingKeyOverlapSecondsMax: 90 * 24 * 3600,
  signingKeysEarlierCountMax: 4,
  /** Life of an access token, and of a refresh token that nobody uses. */
  accessTokenSeconds: 900,
  refreshTokenSeconds: 30 * 24 * 3600,
  /** Life of a token that was made to last, unless it has no end: a hundred years. */
  lastingTokenSecondsMax: 100 * 365 * 24 * 3600,
  /** Attempts at a change of accounts that others keep getting in the way of. */
  accountChangeAttemptsCountMax: 8,
  /** Wait before changes of accounts are followed again, after they could not be. */
  accountWatchRetryMilliseconds: 1000,
  /** Body of an LMOF upload of version 1, in JSON and Base64, and the bytes of a file that an answer of it may carry. */
  lmofJsonBytesMax: 32 * mib,
  lmofJsonContentBytesMax: 16 * mib,
  /** Every other body of LMOF, and what stands before the bytes of a file in version 2. */
  lmofMetadataBytesMax: 64 * kib,
  /** Bytes that all LMOF requests together hold. */
  lmofHeldBytesMax: 256 * mib,
  /** Requests of one LMOF connection under way; nothing more is read then. */
  lmofRequestsCountMax: 32,
  /** An LMOF connection that says nothing and waits for nothing. */
  lmofIdleMillisecondsMax: 120_000,
  /** A message that has begun moves so many bytes in so much time, or its connection is given up. */
  lmofProgressBytesMin: 64 * kib,
  lmofProgressMillisecondsMax: 60_000,

  /** What a client of files does unless told otherwise: silence it bears, attempts, the first pause between them, connections. */
  fileTimeoutMilliseconds: 30_000,
  fileRetriesCount: 3,
  fileRetryMilliseconds: 1000,
  fileConnectionsCount: 16,
  fileCacheCountDefault: 1000,
  /** Longest pause between attempts. */
  fileRetryMillisecondsMax: 10_000,
  /** Times in a row that a part meets another writer of its upload. */
  fileConflictsCountMax: 5,
  /** Bytes of one part of an upload, and of an answer that is no file. */
  filePartBytes: 8 * mib,
  fileAnswerBytesMax: 16 * mib,
  /** Shorter bodies are not worth compressing. */
  fileCompressBytesMin: 1 * kib,
} as const;
