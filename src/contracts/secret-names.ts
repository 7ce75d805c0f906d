// Names of headers, query parameters and fields whose values are taken for credentials: nothing that is told of a request holds them.

export const secretName: RegExp =
  /token|secret|passw|passphrase|pwd|api[-_]?key|access[-_]?key|private[-_]?key|signature|credential|authorization|cookie|session[-_]?id/i
