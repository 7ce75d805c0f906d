// Compression ↔ envoy.extensions.filters.http.compressor.v3.Compressor: one for each coding.
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import type { TypedExtensionConfigSchema } from '../../contracts/xds/gen/envoy/config/core/v3/extension_pb.ts'
import { BrotliSchema } from '../../contracts/xds/gen/envoy/extensions/compression/brotli/compressor/v3/brotli_pb.ts'
import { GzipSchema } from '../../contracts/xds/gen/envoy/extensions/compression/gzip/compressor/v3/gzip_pb.ts'
import type { Gzip_CompressionLevel as GzipLevel } from '../../contracts/xds/gen/envoy/extensions/compression/gzip/compressor/v3/gzip_pb.ts'
import { ZstdSchema } from '../../contracts/xds/gen/envoy/extensions/compression/zstd/compressor/v3/zstd_pb.ts'
import { CompressorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/compressor/v3/compressor_pb.ts'
import type { Compressor } from '../../contracts/xds/gen/envoy/extensions/filters/http/compressor/v3/compressor_pb.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { CompressionSpec } from './compression.spec.ts'

type Coding = CompressionSpec['codings'][number]

/** The first is chosen where a caller likes several as much. */
export function encodeCompression({ codings, contentTypes, minContentLengthBytes }: CompressionSpec): Any[] {
  return codings.map((coding, index) =>
    typedConfig(CompressorSchema, {
      compressorLibrary: encodeLibrary(coding),
      responseDirectionConfig: {
        commonConfig: { contentType: [...contentTypes], minContentLength: minContentLengthBytes },
      },
      chooseFirst: index === 0 && codings.length > 1,
    }),
  )
}

function encodeLibrary({ coding, level }: Coding): MessageInitShape<typeof TypedExtensionConfigSchema> {
  switch (coding) {
    case 'br':
      return { name: 'brotli', typedConfig: typedConfig(BrotliSchema, { quality: level }) }
    case 'zstd':
      return { name: 'zstd', typedConfig: typedConfig(ZstdSchema, { compressionLevel: level }) }
    case 'gzip':
    default:
      return { name: 'gzip', typedConfig: typedConfig(GzipSchema, { compressionLevel: level as GzipLevel }) }
  }
}

export function isCompression(any: Any | undefined): boolean {
  return isTypedConfig(any, CompressorSchema)
}

/** Of one filter. Throws an Error that says what cannot be served. */
export function decodeCompression(any: Any, place: string): CompressionSpec {
  const { compressorLibrary, requestDirectionConfig, responseDirectionConfig } = readTypedConfig(
    any,
    CompressorSchema,
    place,
  )
  if (requestDirectionConfig !== undefined) throw new Error('compressor: request_direction_config is not supported')
  if (
    responseDirectionConfig?.disableOnEtagHeader === true ||
    responseDirectionConfig?.removeAcceptEncodingHeader === true
  )
    throw new Error('compressor: disable_on_etag_header and remove_accept_encoding_header are not supported')
  const { contentType = [], minContentLength = envoyMinimum } = responseDirectionConfig?.commonConfig ?? {}
  return {
    codings: [decodeLibrary(compressorLibrary)],
    contentTypes: (contentType.length === 0 ? envoyTypes : contentType).map((type) => type.toLowerCase()),
    minContentLengthBytes: minContentLength,
  }
}

/** Envoy's, where nothing is said. */
const envoyMinimum = 30
const envoyTypes: readonly string[] = [
  'application/javascript',
  'application/json',
  'application/xhtml+xml',
  'image/svg+xml',
  'text/css',
  'text/html',
  'text/plain',
  'text/xml',
]

function decodeLibrary(library: Compressor['compressorLibrary']): Coding {
  const any = library?.typedConfig
  if (isTypedConfig(any, BrotliSchema))
    return { coding: 'br', level: readTypedConfig(any, BrotliSchema, 'brotli').quality ?? 3 }
  if (isTypedConfig(any, ZstdSchema))
    return { coding: 'zstd', level: readTypedConfig(any, ZstdSchema, 'zstd').compressionLevel ?? 3 }
  if (isTypedConfig(any, GzipSchema))
    return { coding: 'gzip', level: readTypedConfig(any, GzipSchema, 'gzip').compressionLevel || 6 }
  throw new Error(`compressor: ${any?.typeUrl ?? 'no compressor_library'} is not supported`)
}

/** Filters that follow each other and differ only in their codings choose among them together. */
export function joinCompressions(first: CompressionSpec, second: CompressionSpec): CompressionSpec | undefined {
  const same =
    first.minContentLengthBytes === second.minContentLengthBytes &&
    first.contentTypes.join() === second.contentTypes.join()
  return same ? { ...first, codings: [...first.codings, ...second.codings] } : undefined
}
