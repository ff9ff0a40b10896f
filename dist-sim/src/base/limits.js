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
    /** Entries of a large blob's checksum table that a reader fetches at once: enough for 256 MiB, 16 KiB of memory. */
    checksumPageBlocks: 4096,
    /** Bytes one write holds between two pieces of its source. At least `packedBlobBytesMax`. */
    spoolBufferBytes: 128 * kib,
    /** A segment that has reached this size takes no further record. */
    segmentBytesTarget: 256 * mib,
    /** Records that compaction has under way at once. */
    compactionAppendsMax: 256,
    /** Rows of the index read or changed in one step. */
    indexStepRowsMax: 1000,
    /** Length of the CAIRN file of a data directory. */
    storeFileBytesMax: 4096,
    /** Bytes of the saved table written or read in one step. */
    tablePieceBytesMax: mib,
    /** Bytes of records that one group commit writes. */
    groupCommitBytesMax: 4 * mib,
    /** Records that one group commit writes: what is done for them between two turns of the event loop stays short. */
    groupCommitRecordsCountMax: 2048,
    /** Bytes of records waiting for a group commit; an append beyond it waits for room. */
    appendQueueBytesMax: 64 * mib,
    /** Small blobs of one `writeMany` that are hashed and queued in one turn of the event loop: so many, or so many bytes. */
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
    recordFirstReadBytesMax: 128 * kib,
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
    /** A client's receive window for one stream, and for all streams of its session together. */
    clientStreamWindowBytes: 2 * mib,
    clientSessionWindowBytes: 32 * mib,
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
    /** What each of them counts for beside its keys and values. */
    kvOperationBytes: 64,
    /** Keys one delete may hit: all of them are one batch. */
    kvDeletedCountMax: 10_000,
    /** Keys of one page of a range, and bytes of their keys and values, of which the last may go beyond. */
    kvPageCountMax: 1000,
    kvPageBytesMax: 4 * mib,
    /** Time for which earlier revisions of the metadata can be read, at least; up to twice as long. */
    kvHistoryMilliseconds: 600_000,
    /** Values read at once, each as large as a transaction can be. */
    kvValuesReadCountMax: 32,
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
    /** Bytes a new connection may send before its protocol is known, and the time it has for the first few. */
    firstBytesMax: 24,
    firstBytesMillisecondsMax: 10_000,
    /** Time a request's headers may take; a whole request has none, since uploads may be long. */
    headersMillisecondsMax: 60_000,
    /** A kept-alive HTTP/1.1 connection without a request. */
    idleConnectionMillisecondsMax: 75_000,
    connectionsCountMax: 16_384,
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
    /** Items of a list that is paged by number. */
    numberedPageCountDefault: 20,
    numberedPageCountMax: 100,
    /** Blobs that we take together in one BatchWrite; our own client sends less. */
    batchWriteAcceptedBytesMax: 16 * mib,
    /** Blobs of one batch that are read at once. */
    batchConcurrencyMax: 64,
    /** Digests looked up in one turn of the event loop, so that other requests get theirs in between. */
    lookupSliceCountMax: 2048,
    /** Bytes of a request on the lane that nobody has asked for yet, at which its sender is held up. */
    laneHeldBytesMax: 32 * kib,
    /** Pieces that the lane hands to the store: the first, and the largest it grows to. An upload has two of them. */
    laneBatchBytesMin: 32 * kib,
    laneBatchBytesMax: 512 * kib,
    /** Answers up to here are copied behind their envelope's head. */
    laneCopiedBytesMax: 16 * kib,
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
    /** Data of one Raft proposal: the largest transaction on metadata, and its envelope. */
    raftProposalBytesMax: 2 * mib,
    /** Bytes of entries in one message between Raft nodes. */
    raftMessageBytesMax: mib,
    /** Messages, and bytes of entries, on their way to one Raft node. */
    raftInflightMessagesMax: 64,
    raftInflightBytesMax: 16 * mib,
    /** Bytes of entries that are not committed, and not applied, at which a leader takes no more proposals. */
    raftUncommittedBytesMax: 64 * mib,
    raftUnappliedBytesMax: 128 * mib,
    /** Bytes of entries applied in one batch. */
    raftApplyBytesMax: 4 * mib,
    /** Reads that wait for a Raft leader to be confirmed; proposals and reads that wait on one node. */
    raftWaitingReadsMax: 4096,
    raftRequestsMax: 16_384,
    /** Bytes of applied entries that the Raft log keeps after a compaction, and at most while snapshots are fetched. */
    raftLogKeptBytes: 16 * mib,
    raftLogPinnedBytesMax: 256 * mib,
    /** Life of a transport token that nobody redeems. */
    transportTokenSecondsMax: 60,
    /** Redeemed tokens remembered; all are forgotten a token's life later. */
    spentTokensCountMax: 65_536,
    /** Tokens one HTTP/2 session may own. */
    tokensPerSessionCountMax: 64,
};
