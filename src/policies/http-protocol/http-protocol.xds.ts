// HTTP version of a cluster ↔ its typed_extension_protocol_options, envoy.extensions.upstreams.http.v3.HttpProtocolOptions.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Cluster, ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { HttpProtocolOptionsSchema } from '../../contracts/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import type { HttpProtocolOptions } from '../../contracts/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { decodeDuration } from '../scalars.xds.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { HttpProtocol, KeepAliveSpec } from './http-protocol.spec.ts'

type OptionsInit = NonNullable<MessageInitShape<typeof ClusterSchema>['typedExtensionProtocolOptions']>
type UpstreamOptions = NonNullable<MessageInitShape<typeof HttpProtocolOptionsSchema>['upstreamProtocolOptions']>

/** Key of the options in Envoy: the name of their type. */
const key = HttpProtocolOptionsSchema.typeName

const upstreamOptions: Readonly<Record<Exclude<HttpProtocol, 'http1'>, UpstreamOptions>> = {
  http2: {
    case: 'explicitHttpConfig',
    value: { protocolConfig: { case: 'http2ProtocolOptions', value: {} } },
  },
  downstream: {
    case: 'useDownstreamProtocolConfig',
    value: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
  },
}

/** HTTP/1.1 is what a cluster without options speaks. */
export function encodeHttpProtocol(protocol: HttpProtocol): OptionsInit {
  if (protocol === 'http1') return {}
  return { [key]: typedConfig(HttpProtocolOptionsSchema, { upstreamProtocolOptions: upstreamOptions[protocol] }) }
}

/** Throws an Error that says what cannot be served. */
export function decodeHttpProtocol({ typedExtensionProtocolOptions }: Cluster): HttpProtocol {
  const options = upstreamOptionsOf(typedExtensionProtocolOptions)
  if (options === undefined) return 'http1'
  if (options.case === 'explicitHttpConfig') {
    const { protocolConfig } = options.value
    if (protocolConfig.case === 'http3ProtocolOptions') throw new Error('HTTP/3 towards endpoints is not supported')
    return protocolConfig.case === 'http2ProtocolOptions' ? 'http2' : 'http1'
  }
  if (options.case !== 'useDownstreamProtocolConfig') return 'http1'
  // Envoy speaks HTTP/1.1 to them whatever the caller spoke, unless there are options for HTTP/2
  return options.value.http2ProtocolOptions === undefined ? 'http1' : 'downstream'
}

/** Envoy's `connection_keepalive`: its timeout is from the ping on. Undefined: the cluster says nothing. Throws an Error that says what is wrong. */
export function decodeKeepAlive({ typedExtensionProtocolOptions }: Cluster): KeepAliveSpec | undefined {
  const options = upstreamOptionsOf(typedExtensionProtocolOptions)
  const config =
    options?.case === 'explicitHttpConfig' && options.value.protocolConfig.case === 'http2ProtocolOptions'
      ? options.value.protocolConfig.value
      : options?.case === 'useDownstreamProtocolConfig'
        ? options.value.http2ProtocolOptions
        : undefined
  const { interval, timeout } = config?.connectionKeepalive ?? {}
  if (interval === undefined || timeout === undefined) return undefined
  const intervalMs = decodeDuration(interval, 'connection_keepalive: interval')
  const timeoutMs = decodeDuration(timeout, 'connection_keepalive: timeout')
  if (intervalMs < 1 || timeoutMs < 1) throw new Error('connection_keepalive: interval and timeout are at least 1 ms')
  return { intervalMs, timeoutMs }
}

function upstreamOptionsOf(
  options: Cluster['typedExtensionProtocolOptions'],
): HttpProtocolOptions['upstreamProtocolOptions'] | undefined {
  const any = options[key]
  if (any === undefined) return undefined
  return readTypedConfig(any, HttpProtocolOptionsSchema, 'typed_extension_protocol_options').upstreamProtocolOptions
}
