// What is shown of requests nowhere, besides what sounds like a credential. Names in lower case.

export interface RedactionSpec {
  /** Query parameters, and fields of JSON and forms. */
  readonly fields: readonly string[]
  readonly headers: readonly string[]
}
