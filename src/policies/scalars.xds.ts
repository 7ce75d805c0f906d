// Durations of the specs ↔ google.protobuf.Duration; shares ↔ envoy.type.v3.FractionalPercent.
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Duration, DurationSchema } from '@bufbuild/protobuf/wkt'

import { FractionalPercent_DenominatorType as Denominator } from '../contracts/xds/gen/envoy/type/v3/percent_pb.ts'
import type { FractionalPercent, FractionalPercentSchema } from '../contracts/xds/gen/envoy/type/v3/percent_pb.ts'

/** Takes whole milliseconds. */
export function encodeDuration(milliseconds: number): MessageInitShape<typeof DurationSchema> {
  const seconds = Math.floor(milliseconds / 1000)
  return { seconds: BigInt(seconds), nanos: (milliseconds - seconds * 1000) * 1_000_000 }
}

/** Whole milliseconds; throws an Error that names `place` when negative. */
export function decodeDuration(duration: Duration, place: string): number {
  const milliseconds = Number(duration.seconds) * 1000 + Math.round(duration.nanos / 1_000_000)
  if (milliseconds < 0) throw new Error(`${place}: ${milliseconds} ms is negative`)
  return milliseconds
}

/** Takes millionths. */
export function encodeShare(millionths: number): MessageInitShape<typeof FractionalPercentSchema> {
  return millionths % 10_000 === 0
    ? { numerator: millionths / 10_000, denominator: Denominator.HUNDRED }
    : { numerator: millionths, denominator: Denominator.MILLION }
}

const millionthsOf: ReadonlyMap<Denominator, number> = new Map([
  [Denominator.HUNDRED, 10_000],
  [Denominator.TEN_THOUSAND, 100],
  [Denominator.MILLION, 1],
])

/** Millionths; 0 where nothing is said, as in Envoy. Throws an Error that names `place` when the denominator is unknown. */
export function decodeShare(percent: FractionalPercent | undefined, place: string): number {
  if (percent === undefined) return 0
  const unit = millionthsOf.get(percent.denominator)
  if (unit === undefined) throw new Error(`${place}: denominator ${percent.denominator} is unknown`)
  return Math.min(percent.numerator * unit, 1_000_000)
}
