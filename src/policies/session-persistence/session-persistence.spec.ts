// How requests of one client stay with the endpoint that has answered its first.

export interface SessionPersistenceSpec {
  /** What the client is to send back. */
  readonly carrier: 'cookie' | 'header'
  /** Of the cookie or header. */
  readonly name: string
  /** How long a session lasts; absent: as long as the client keeps it. */
  readonly absoluteTimeoutMs?: number
  /** How long it may rest; absent: as long as it lasts. */
  readonly idleTimeoutMs?: number
  /** A cookie that outlives the browser, for `absoluteTimeoutMs`. */
  readonly permanent?: true
}
