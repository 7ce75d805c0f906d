// What is never shown of requests, besides what sounds like a credential.

export interface RedactionSpec {
  /** Names of query parameters and of fields in JSON and forms, in lower case. */
  readonly fields: readonly string[]
}
