// A collector of OpenTelemetry ↔ the service that Envoy sends to: OTLP/gRPC or OTLP/HTTP.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { GrpcService, GrpcServiceSchema } from '../contracts/xds/gen/envoy/config/core/v3/grpc_service_pb.ts'
import type { HttpService, HttpServiceSchema } from '../contracts/xds/gen/envoy/config/core/v3/http_service_pb.ts'
import { decodeDuration, encodeDuration } from './scalars.xds.ts'
import type { TraceCollectorSpec } from './tracing/tracing.spec.ts'

interface CollectorInit {
  readonly grpcService?: MessageInitShape<typeof GrpcServiceSchema>
  readonly httpService?: MessageInitShape<typeof HttpServiceSchema>
}

interface CollectorMessage {
  readonly grpcService?: GrpcService | undefined
  readonly httpService?: HttpService | undefined
}

const defaultTimeoutMs = 5_000

export function encodeCollector({ cluster, path, timeoutMs }: TraceCollectorSpec): CollectorInit {
  const timeout = encodeDuration(timeoutMs)
  if (path === undefined)
    return { grpcService: { targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster } }, timeout } }
  const uri = `http://${cluster}${path}`
  return { httpService: { httpUri: { uri, httpUpstreamType: { case: 'cluster', value: cluster }, timeout } } }
}

/** Throws an Error that begins with `place` and says what cannot be served. */
export function decodeCollector({ grpcService, httpService }: CollectorMessage, place: string): TraceCollectorSpec {
  if (httpService?.httpUri !== undefined) {
    const { uri, httpUpstreamType, timeout } = httpService.httpUri
    if (httpUpstreamType.value === undefined) throw new Error(`${place}: http_uri needs a cluster`)
    return { cluster: httpUpstreamType.value, path: pathOf(uri), timeoutMs: timeoutOf(timeout, place) }
  }
  if (grpcService?.targetSpecifier.case !== 'envoyGrpc')
    throw new Error(`${place}: the collector has to be an envoy_grpc service or an http_service`)
  return {
    cluster: grpcService.targetSpecifier.value.clusterName,
    timeoutMs: timeoutOf(grpcService.timeout, place),
  }
}

function timeoutOf(timeout: Parameters<typeof decodeDuration>[0] | undefined, place: string): number {
  return timeout === undefined ? defaultTimeoutMs : decodeDuration(timeout, `${place}: timeout`)
}

function pathOf(uri: string): string {
  const path = uri.replace(/^[a-z]+:\/\/[^/]*/, '')
  return path.startsWith('/') ? path : `/${path}`
}
