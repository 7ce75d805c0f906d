// How long the front of the request line waits, and for what.

export const downstreamTimeouts = {
  /** Until the first bytes tell the protocol, at most. Nobody loses by waiting: an idle connection may have been opened ahead of use. */
  detectMs: 60_000,
  /** Inside CONNECT to outside the mesh, where a client may wait for a server that speaks first. */
  detectInConnectMs: 500,
  handshakeMs: 10_000,
  headMs: 60_000,
  idleMs: 3_600_000,
  tunnelConnectMs: 10_000,
} as const
