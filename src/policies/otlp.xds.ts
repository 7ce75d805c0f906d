// What the signals of OTLP have in common: where they go, the message around their items, attributes, times.
import { ProtobufWriter } from '../core/protobuf-writer.ts'
import type { AttributeValue } from './tracing/tracing.spec.ts'

/** Undefined ones are left out. */
export type OtlpAttributes = Readonly<Record<string, AttributeValue | undefined>>

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
  const writer = new ProtobufWriter()
  const ofResource = writer.begin(1)
  const about = writer.begin(1)
  writeAttributes(writer, 1, resource)
  writer.end(about)
  const ofScope = writer.begin(2)
  const scope = writer.begin(1)
  writer.text(1, 'heddle')
  writer.end(scope)
  for (const item of items) writer.bytes(2, item)
  writer.end(ofScope)
  writer.end(ofResource)
  return writer.finish()
}

/** As KeyValues. Values are texts, numbers, truth values, or lists and maps of them. */
export function writeAttributes(
  writer: ProtobufWriter,
  field: number,
  attributes: Readonly<Record<string, unknown>>,
): void {
  for (const name of Object.keys(attributes)) {
    const value = attributes[name]
    if (value === undefined) continue
    const attribute = writer.begin(field)
    writer.text(1, name)
    writeValue(writer, 2, value)
    writer.end(attribute)
  }
}

/** As AnyValue. */
export function writeValue(writer: ProtobufWriter, field: number, value: unknown): void {
  const any = writer.begin(field)
  if (typeof value === 'string') writer.text(1, value)
  else if (typeof value === 'boolean') writer.varint(2, Number(value))
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) writer.int64(3, BigInt(value))
    else writer.double(4, value)
  } else {
    const within = writer.begin(Array.isArray(value) ? 5 : 6)
    if (Array.isArray(value)) for (const one of value) writeValue(writer, 1, one)
    else writeAttributes(writer, 1, (value ?? {}) as Readonly<Record<string, unknown>>)
    writer.end(within)
  }
  writer.end(any)
}

/** Of milliseconds since the Unix epoch. Whole microseconds: a double has no more digits. */
export function nanoseconds(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1_000)) * 1_000n
}
