// Durations of the specs ↔ google.protobuf.Duration.
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Duration, DurationSchema } from '@bufbuild/protobuf/wkt'

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
