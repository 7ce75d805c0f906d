// Mutual TLS towards endpoints behind sidecars ↔ transport_socket_matches of a cluster, and the metadata by which an endpoint matches.
// Endpoints that match nothing are spoken to in plaintext (Envoy: the cluster's own transport socket, raw when absent).
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'

import type {
  Cluster,
  Cluster_TransportSocketMatchSchema,
} from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { SubjectAltNameMatcher_SanType as SanType } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { SubjectAltNameMatcher } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { UpstreamTlsContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import { checkOwnSecrets, encodeOwnSecrets, meshAlpn, tlsTransportSocket } from './own-secrets.xds.ts'

/** Key of the endpoints' metadata that Envoy compares with `match`. */
export const transportSocketMatchKey = 'envoy.transport_socket_match'

const behindSidecar: JsonObject = { tlsMode: 'heddle' }

/** Metadata of an endpoint under `transportSocketMatchKey`. */
export function encodeEndpointTls(tls: boolean): Record<string, JsonObject> {
  return tls ? { [transportSocketMatchKey]: behindSidecar } : {}
}

export function decodeEndpointTls(filterMetadata: Readonly<Record<string, JsonObject>>): boolean {
  return filterMetadata[transportSocketMatchKey]?.['tlsMode'] === behindSidecar['tlsMode']
}

/** `peerSpiffeIds`: who may answer. Empty: the cluster has no endpoint behind a sidecar. `alpn`: what is offered to them. */
export function encodeUpstreamTls(
  peerSpiffeIds: readonly string[],
  alpn: readonly string[] = meshAlpn,
): MessageInitShape<typeof Cluster_TransportSocketMatchSchema>[] {
  if (peerSpiffeIds.length === 0) return []
  const context = typedConfig(UpstreamTlsContextSchema, {
    commonTlsContext: encodeOwnSecrets(
      {
        matchTypedSubjectAltNames: peerSpiffeIds.map((id) => ({
          sanType: SanType.URI,
          matcher: { matchPattern: { case: 'exact', value: id } },
        })),
      },
      alpn,
    ),
  })
  const transportSocket = { name: tlsTransportSocket, configType: { case: 'typedConfig' as const, value: context } }
  return [{ name: 'heddle', match: behindSidecar, transportSocket }]
}

export interface UpstreamTlsSpec {
  /** Who may answer. */
  readonly peerSpiffeIds: readonly string[]
  /** What is offered to them. */
  readonly alpn: readonly string[]
}

/** Throws an Error that says what cannot be served. */
export function decodeUpstreamTls(cluster: Cluster): UpstreamTlsSpec {
  const match = cluster.transportSocketMatches.find(
    ({ match: wanted }) => wanted?.['tlsMode'] === behindSidecar['tlsMode'],
  )
  if (match === undefined) return { peerSpiffeIds: [], alpn: [] }
  const place = `transport_socket_matches "${match.name}"`
  const context = readTypedConfig(match.transportSocket?.configType.value, UpstreamTlsContextSchema, place)
  checkOwnSecrets(context.commonTlsContext, place)
  const validation = context.commonTlsContext?.validationContextType
  const names =
    validation?.case === 'combinedValidationContext'
      ? (validation.value.defaultValidationContext?.matchTypedSubjectAltNames ?? [])
      : []
  if (names.length === 0) throw new Error(`${place}: match_typed_subject_alt_names must say who may answer`)
  return {
    peerSpiffeIds: names.map((name) => decodeSpiffeId(name, place)),
    alpn: context.commonTlsContext?.alpnProtocols ?? [],
  }
}

function decodeSpiffeId({ sanType, matcher }: SubjectAltNameMatcher, place: string): string {
  const pattern = matcher?.matchPattern
  if (sanType === SanType.URI && pattern?.case === 'exact' && matcher?.ignoreCase === false) return pattern.value
  throw new Error(`${place}: match_typed_subject_alt_names must match URIs exactly`)
}
