// Bounds on what one message may make the proxy hold.

export const limits = {
  /** Start line and header lines together. */
  headBytes: 65_536,
  headerLines: 128,
  requestLineBytes: 16_384,
  /** Size line with its extensions. */
  chunkLineBytes: 256,
  trailerBytes: 16_384,
  /** Before one final response. */
  interimResponses: 32,
} as const
