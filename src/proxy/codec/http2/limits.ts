// Bounds on what one HTTP/2 connection may make the proxy hold or do.

export const limits = {
  /** Header lines of one message as HTTP/1.1 would write them, and the number of them. */
  headBytes: 65_536,
  headerLines: 128,
  trailerBytes: 16_384,
  /** One header block with its CONTINUATION frames, and the number of these. */
  blockBytes: 98_304,
  continuations: 32,
  /** Requests that a caller may have open. */
  concurrentStreams: 1000,
  /** What a peer may send on one stream, and on all, before it is told that some was taken. */
  streamWindowBytes: 262_144,
  connectionWindowBytes: 4_194_304,
  /** What all paused streams of a connection may hold before no more is asked for. */
  heldBytes: 16_777_216,
  /** Size of the header table that the peer may use, and of the one used towards it when it allows as much. */
  headerTableBytes: 16_384,
  /** Beyond this a stream that has data waiting is full; below, it can take again. */
  queueHighBytes: 65_536,
  queueLowBytes: 16_384,
  /** Written in one turn without a flush. */
  batchBytes: 65_536,
  /** Answers that wait for a peer that does not read. */
  backlogBytes: 1_048_576,
  /** A client opens no more streams on a connection past this id: another connection takes over long before ids run out. */
  lastStreamId: 0x3fffffff,
} as const
