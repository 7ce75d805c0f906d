// Last step of the ADS server: resources that are already encoded → bytes of one response, wrapped around the same body bytes.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

import type { EncodedResource } from '../translate/resource-view.ts'

export interface ResponseContent {
  readonly typeUrl: string
  readonly revision: string
  readonly nonce: string
  readonly resources: readonly EncodedResource[]
  /** Delta only: names that do not exist, or no longer. */
  readonly removed: readonly string[]
}

/** envoy.service.discovery.v3.DeltaDiscoveryResponse; the field numbers are those of discovery.proto. */
export function encodeDeltaResponse(content: ResponseContent): Uint8Array {
  const writer = new BinaryWriter()
  text(writer, 1, content.revision)
  for (const resource of content.resources) {
    writer.tag(2, WireType.LengthDelimited).bytes(resourceBytes(content.typeUrl, resource))
  }
  text(writer, 4, content.typeUrl)
  text(writer, 5, content.nonce)
  for (const name of content.removed) text(writer, 6, name)
  return writer.finish()
}

/** A change goes to many clients: what they all get is put together once. */
const wrapped = new WeakMap<EncodedResource, Uint8Array>()

/** envoy.service.discovery.v3.Resource. */
function resourceBytes(typeUrl: string, resource: EncodedResource): Uint8Array {
  let bytes = wrapped.get(resource)
  if (bytes === undefined) {
    const writer = new BinaryWriter()
    text(writer, 1, resource.version)
    any(writer, 2, typeUrl, resource.body)
    text(writer, 3, resource.name)
    bytes = writer.finish()
    wrapped.set(resource, bytes)
  }
  return bytes
}

/** envoy.service.discovery.v3.DiscoveryResponse. */
export function encodeStateResponse(content: ResponseContent): Uint8Array {
  const writer = new BinaryWriter()
  text(writer, 1, content.revision)
  for (const resource of content.resources) any(writer, 2, content.typeUrl, resource.body)
  text(writer, 4, content.typeUrl)
  text(writer, 5, content.nonce)
  return writer.finish()
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value)
}

function any(writer: BinaryWriter, field: number, typeUrl: string, body: Uint8Array): void {
  writer.tag(field, WireType.LengthDelimited).fork()
  text(writer, 1, typeUrl)
  writer.tag(2, WireType.LengthDelimited).bytes(body)
  writer.join()
}
