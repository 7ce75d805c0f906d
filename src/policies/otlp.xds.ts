// What the signals of OTLP have in common: where they go, the message around their items, attributes, times.
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

import { InstrumentationScopeSchema, ResourceSchema } from '../contracts/xds/gen/opentelemetry/common_pb.ts'
import type { AnyValueSchema, KeyValueSchema } from '../contracts/xds/gen/opentelemetry/common_pb.ts'
import type { AttributeValue } from './tracing/tracing.spec.ts'

/** Undefined ones are left out. */
export type OtlpAttributes = Readonly<Record<string, AttributeValue | undefined>>

type AnyValueInit = MessageInitShape<typeof AnyValueSchema>

export interface OtlpSignal {
  /** "/package.Service/Export". */
  readonly grpcPath: string
  /** How many items of a message its answer says are refused. Throws an Error where it is no such answer. */
  readonly rejected: (answer: Uint8Array) => number
}

/**
 * The request that exports `items`, spans or log records, each encoded before: so that what waits is no longer than what is sent, and none of it is
 * made at one go. `resource`: what all of them are about. The fields have the same numbers in all signals (opentelemetry-proto).
 */
export function encodeExport(resource: OtlpAttributes, items: readonly Uint8Array[]): Uint8Array {
  const about = toBinary(ResourceSchema, create(ResourceSchema, { attributes: encodeAttributes(resource) }))
  const scope = toBinary(InstrumentationScopeSchema, create(InstrumentationScopeSchema, { name: 'heddle' }))
  const ofScope = messageOf([[1, scope], ...items.map((item) => [2, item] as const)])
  const ofResource = messageOf([
    [1, about],
    [2, ofScope],
  ])
  return messageOf([[1, ofResource]])
}

/** Of messages that are encoded already, by the numbers of their fields. */
function messageOf(fields: readonly (readonly [number: number, message: Uint8Array])[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const [number, message] of fields) writer.tag(number, WireType.LengthDelimited).bytes(message)
  return writer.finish()
}

/** Values are texts, numbers, truth values, or lists and maps of them. */
export function encodeAttributes(
  attributes: Readonly<Record<string, unknown>>,
): MessageInitShape<typeof KeyValueSchema>[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: encodeValue(value) }],
  )
}

function encodeValue(value: unknown): AnyValueInit {
  if (typeof value === 'string') return { value: { case: 'stringValue', value } }
  if (typeof value === 'boolean') return { value: { case: 'boolValue', value } }
  if (typeof value === 'number')
    return {
      value: Number.isInteger(value) ? { case: 'intValue', value: BigInt(value) } : { case: 'doubleValue', value },
    }
  if (Array.isArray(value)) return { value: { case: 'arrayValue', value: { values: value.map(encodeValue) } } }
  const values = encodeAttributes((value ?? {}) as Readonly<Record<string, unknown>>)
  return { value: { case: 'kvlistValue', value: { values } } }
}

/** Of milliseconds since the Unix epoch. Whole microseconds: a double has no more digits. */
export function nanoseconds(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1_000)) * 1_000n
}
