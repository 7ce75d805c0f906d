// Names of headers, query parameters and fields of bodies whose values are taken for credentials: nothing that is told of a request holds them.

/** Of query parameters, and of fields of bodies. */
export const secretName: RegExp =
  /token|secret|passw|passphrase|pwd|api[-_]?key|access[-_]?key|private[-_]?key|signature|credential|authorization|cookie|session[-_]?id/i

export function isSecretHeader(name: string): boolean {
  return secretName.test(name)
}
