// Compression of responses on their way to the caller: what Envoy's compressor filters do.

/** As Content-Encoding calls them. */
export type ContentCoding = 'br' | 'gzip' | 'zstd'

export interface CompressionSpec {
  /** Those that may be chosen, the most wanted first. A higher level is smaller and slower. */
  readonly codings: readonly { readonly coding: ContentCoding; readonly level: number }[]
  /** In lower case, without parameters. */
  readonly contentTypes: readonly string[]
  /** Shorter ones stay as they are. */
  readonly minContentLengthBytes: number
}
