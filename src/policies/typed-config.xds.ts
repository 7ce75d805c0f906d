// Messages inside messages: google.protobuf.Any, as xDS carries extensions. For every *.xds.ts and for both ends of the wire.
import { create } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'

export function typedConfig<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, init))
}

/** Throws an Error that names `place` when the content is of another type or damaged. */
export function readTypedConfig<Desc extends DescMessage>(
  any: Any | undefined,
  schema: Desc,
  place: string,
): MessageShape<Desc> {
  const message = any === undefined ? undefined : anyUnpack(any, schema)
  if (message === undefined) {
    throw new Error(`${place}: expected a ${schema.typeName}, got ${any === undefined ? 'nothing' : any.typeUrl}`)
  }
  return message
}

export function isTypedConfig(any: Any | undefined, schema: DescMessage): boolean {
  return any !== undefined && any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1) === schema.typeName
}
