// First step of the ADS server: bytes of a client → one request shape for both protocols.
import { fromBinary } from '@bufbuild/protobuf'
import type { JsonObject } from '@bufbuild/protobuf'

import type { Node } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
} from '../../contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'

export type XdsProtocol = 'delta' | 'state-of-the-world'

/** What a client says of itself in its first request. */
export interface NodeInfo {
  readonly id: string
  readonly metadata: JsonObject
}

interface RequestCommon {
  readonly typeUrl: string
  readonly node: NodeInfo | undefined
  /** Empty: not an answer to a response. */
  readonly nonce: string
  /** Present: the response with that nonce was rejected. */
  readonly error: string | undefined
}

export interface DeltaRequest extends RequestCommon {
  readonly protocol: 'delta'
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  /** By resource name; only in the first request of a type. */
  readonly initialVersions: Readonly<Record<string, string>>
}

export interface StateRequest extends RequestCommon {
  readonly protocol: 'state-of-the-world'
  readonly names: readonly string[]
}

/** Throws when the bytes are no such message. */
export function decodeDeltaRequest(bytes: Uint8Array): DeltaRequest {
  const message = fromBinary(DeltaDiscoveryRequestSchema, bytes)
  return {
    protocol: 'delta',
    typeUrl: message.typeUrl,
    node: nodeInfo(message.node),
    nonce: message.responseNonce,
    error: message.errorDetail?.message,
    subscribe: message.resourceNamesSubscribe,
    unsubscribe: message.resourceNamesUnsubscribe,
    initialVersions: message.initialResourceVersions,
  }
}

/** Throws when the bytes are no such message. */
export function decodeStateRequest(bytes: Uint8Array): StateRequest {
  const message = fromBinary(DiscoveryRequestSchema, bytes)
  return {
    protocol: 'state-of-the-world',
    typeUrl: message.typeUrl,
    node: nodeInfo(message.node),
    nonce: message.responseNonce,
    error: message.errorDetail?.message,
    names: message.resourceNames,
  }
}

function nodeInfo(node: Node | undefined): NodeInfo | undefined {
  return node === undefined ? undefined : { id: node.id, metadata: node.metadata ?? {} }
}
