// HTTP settings, mesh-wide but for telemetry → what they are in the connection managers of one kind of listener.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import type {
  HttpConnectionManagerSchema,
  HttpFilterSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { encodeAccessLog, encodeFileRotation } from '../../policies/access-log/access-log.xds.ts'
import type { FilterKind } from '../../policies/filter-order.xds.ts'
import { encodeForwardedHeaders } from '../../policies/forwarded-headers/forwarded-headers.xds.ts'
import { encodeMetricsExport } from '../../policies/metrics-export/metrics-export.xds.ts'
import { encodePathNormalization } from '../../policies/path-normalization/path-normalization.xds.ts'
import { encodeRedaction } from '../../policies/redaction/redaction.xds.ts'
import type { MutedSpec, TelemetrySpec } from '../../policies/telemetry/telemetry.spec.ts'
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
  readonly listener: Pick<MessageInitShape<typeof ListenerSchema>, 'metadata'>
  /** Of their filter chains; undefined: they tell everything. */
  readonly muted: MutedSpec | undefined
  /** Equal for equal settings. */
  readonly key: string
}

type Place = 'gateway' | 'sidecar'
type Settings = TelemetrySpec & Pick<MeshSettings, 'metricsExport' | 'paths' | 'forwardedHeaders' | 'redaction'>

/** Those of each workload and gateway, made once. */
export class HttpSettingsByTelemetry {
  readonly #mesh: Settings
  readonly #made: Readonly<Record<Place, Map<TelemetrySpec, HttpSettings>>> = { gateway: new Map(), sidecar: new Map() }

  constructor(mesh: Settings) {
    this.#mesh = mesh
  }

  /** Without telemetry of its own: as the mesh. */
  of(place: Place, { telemetry = this.#mesh }: { readonly telemetry?: TelemetrySpec }): HttpSettings {
    let made = this.#made[place].get(telemetry)
    if (made === undefined) this.#made[place].set(telemetry, (made = httpSettings(this.#mesh, telemetry, place)))
    return made
  }
}

function httpSettings(mesh: Settings, { accessLog, tracing, muted }: TelemetrySpec, place: Place): HttpSettings {
  const { metricsExport, paths, forwardedHeaders, redaction } = mesh
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
    listener: metricsExport === undefined ? {} : { metadata: encodeMetricsExport(metricsExport) },
    muted,
    key: JSON.stringify([accessLog, tracing, metricsExport, muted, paths, forwardedHeaders[place], redaction]),
  }
}
