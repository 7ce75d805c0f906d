// Mesh-wide HTTP settings → what they are in the connection managers of one kind of listener.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  HttpConnectionManagerSchema,
  HttpFilterSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { encodeAccessLog, encodeFileRotation } from '../../policies/access-log/access-log.xds.ts'
import type { FilterKind } from '../../policies/filter-order.xds.ts'
import { encodeForwardedHeaders } from '../../policies/forwarded-headers/forwarded-headers.xds.ts'
import { encodePathNormalization } from '../../policies/path-normalization/path-normalization.xds.ts'
import { encodeRedaction } from '../../policies/redaction/redaction.xds.ts'
import { encodeTracing } from '../../policies/tracing/tracing.xds.ts'
import type { MeshSettings } from '../snapshot/mesh-snapshot.ts'

type ManagerFields =
  | 'accessLog'
  | 'mergeSlashes'
  | 'normalizePath'
  | 'pathWithEscapedSlashesAction'
  | 'skipXffAppend'
  | 'tracing'
  | 'useRemoteAddress'
  | 'via'
  | 'xffNumTrustedHops'

export type FiltersByKind = Partial<Record<FilterKind, readonly MessageInitShape<typeof HttpFilterSchema>[]>>

export interface HttpSettings {
  readonly manager: Pick<MessageInitShape<typeof HttpConnectionManagerSchema>, ManagerFields>
  readonly filters: FiltersByKind
  /** Equal for equal settings. */
  readonly key: string
}

type Settings = Pick<MeshSettings, 'accessLog' | 'tracing' | 'paths' | 'forwardedHeaders' | 'redaction'>

export function httpSettings(settings: Settings, place: 'gateway' | 'sidecar'): HttpSettings {
  const { accessLog, tracing, paths, forwardedHeaders, redaction } = settings
  const forwarded = encodeForwardedHeaders(forwardedHeaders[place], place === 'gateway')
  return {
    manager: {
      accessLog: encodeAccessLog(accessLog),
      ...(tracing === undefined ? {} : { tracing: encodeTracing(tracing) }),
      ...encodePathNormalization(paths),
      ...forwarded.manager,
    },
    filters: {
      forwardedHeaders: forwarded.filters,
      accessLogFile: encodeFileRotation(accessLog),
      redaction: encodeRedaction(redaction),
    },
    key: JSON.stringify([accessLog, tracing, paths, forwardedHeaders[place], redaction]),
  }
}
