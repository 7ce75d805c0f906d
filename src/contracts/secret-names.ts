// Names of headers, query parameters and fields of bodies whose values are taken for credentials: nothing that is told of a request holds them.

const secretNames =
  /token|secret|passw|passphrase|pwd|api[-_]?key|access[-_]?key|private[-_]?key|signature|credential|authorization|cookie|session[-_]?id/i

export function isSecretName(name: string): boolean {
  return secretNames.test(name)
}
