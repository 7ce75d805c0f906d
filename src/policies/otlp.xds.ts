// What the signals of OTLP have in common: where they go, attributes, times.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { KeyValueSchema } from '../contracts/xds/gen/opentelemetry/common_pb.ts'
import type { AttributeValue } from './tracing/tracing.spec.ts'

/** Undefined ones are left out. */
export type OtlpAttributes = Readonly<Record<string, AttributeValue | undefined>>

export interface OtlpSignal {
  /** "/package.Service/Export". */
  readonly grpcPath: string
  /** How many items of a message its answer says are refused. Throws an Error where it is no such answer. */
  readonly rejected: (answer: Uint8Array) => number
}

export function encodeAttributes(attributes: OtlpAttributes): MessageInitShape<typeof KeyValueSchema>[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: { value: encodeValue(value) } }],
  )
}

function encodeValue(
  value: AttributeValue,
): NonNullable<NonNullable<MessageInitShape<typeof KeyValueSchema>['value']>['value']> {
  if (typeof value === 'string') return { case: 'stringValue', value }
  if (typeof value === 'boolean') return { case: 'boolValue', value }
  return Number.isInteger(value) ? { case: 'intValue', value: BigInt(value) } : { case: 'doubleValue', value }
}

/** Of milliseconds since the Unix epoch. Whole microseconds: a double has no more digits. */
export function nanoseconds(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1_000)) * 1_000n
}
