// TLS that a proxy speaks to a server outside the mesh, and whom it takes for that server.

export interface BackendTlsSpec {
  readonly serverName: string
  /** The server's certificate must have one of these. Never empty. */
  readonly subjectAltNames: readonly SubjectAltName[]
  /** Name of the secret with the roots; absent: those that the runtime ships. */
  readonly rootsSecret?: string
}

export interface SubjectAltName {
  readonly type: 'dns' | 'uri'
  readonly value: string
}
