// One spelling for every path before routes are compared with it (RFC 3986 section 6.2.2).

export interface PathNormalizationSpec {
  /** Dot segments, percent-encoding and backslashes. Off: paths are taken as they come. */
  readonly normalize: boolean
  /** "//" → "/". */
  readonly mergeSlashes: boolean
  /** What becomes of "%2F" and "%5C". */
  readonly escapedSlashes: 'keep' | 'reject' | 'decode'
}
