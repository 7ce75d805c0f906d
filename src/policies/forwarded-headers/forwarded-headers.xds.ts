// What is told about callers ↔ the fields of an Envoy HttpConnectionManager, and Heddle's own HTTP filter for Forwarded.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  HttpConnectionManager,
  HttpConnectionManagerSchema,
  HttpFilterSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { ForwardedHeaderSchema } from '../../contracts/xds/gen/heddle/v1/forwarded_header_pb.ts'
import { isTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { ForwardedHeadersSpec } from './forwarded-headers.spec.ts'

type ManagerFields = 'useRemoteAddress' | 'skipXffAppend' | 'xffNumTrustedHops' | 'via'

export interface ForwardedHeadersInit {
  readonly manager: Pick<MessageInitShape<typeof HttpConnectionManagerSchema>, ManagerFields>
  /** For other data planes they mean nothing. */
  readonly filters: readonly MessageInitShape<typeof HttpFilterSchema>[]
}

const forwardedFilter: MessageInitShape<typeof HttpFilterSchema> = {
  name: 'heddle.forwarded_header',
  isOptional: true,
  configType: { case: 'typedConfig', value: typedConfig(ForwardedHeaderSchema, {}) },
}

/** Envoy appends nothing without `use_remote_address`, which is for proxies at the edge: there it is on, whether or not anything is appended. */
export function encodeForwardedHeaders(spec: ForwardedHeadersSpec, atEdge: boolean): ForwardedHeadersInit {
  const useRemoteAddress = atEdge || spec.appendForwardedFor
  return {
    manager: {
      useRemoteAddress,
      skipXffAppend: useRemoteAddress && !spec.appendForwardedFor,
      xffNumTrustedHops: spec.trustedHops,
      via: spec.via ?? '',
    },
    filters: spec.forwardedHeader ? [forwardedFilter] : [],
  }
}

export function decodeForwardedHeaders(
  manager: Pick<HttpConnectionManager, ManagerFields | 'httpFilters'>,
): ForwardedHeadersSpec {
  return {
    appendForwardedFor: (manager.useRemoteAddress ?? false) && !manager.skipXffAppend,
    forwardedHeader: manager.httpFilters.some(
      ({ configType }) => configType.case === 'typedConfig' && isTypedConfig(configType.value, ForwardedHeaderSchema),
    ),
    via: manager.via === '' ? undefined : manager.via,
    trustedHops: manager.xffNumTrustedHops,
  }
}
