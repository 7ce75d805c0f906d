// What a rate limit server is asked and answers ↔ envoy.service.ratelimit.v3.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'

import type { HeaderValue } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
  RateLimitResponseSchema,
} from '../../contracts/xds/gen/envoy/service/ratelimit/v3/rls_pb.ts'
import type { RateLimitResponse_DescriptorStatus } from '../../contracts/xds/gen/envoy/service/ratelimit/v3/rls_pb.ts'
import type { RateLimitAnswer, RateLimitQuestion, ReachedLimit } from './rate-limit.spec.ts'

export function encodeRateLimitQuestion({ domain, descriptors }: RateLimitQuestion): Uint8Array {
  const request = {
    domain,
    descriptors: descriptors.map((entries) => ({ entries: entries.map(({ key, value }) => ({ key, value })) })),
    hitsAddend: 1,
  }
  return toBinary(RateLimitRequestSchema, create(RateLimitRequestSchema, request))
}

/** Throws an Error when the answer is damaged, or none. */
export function decodeRateLimitAnswer(bytes: Uint8Array): RateLimitAnswer {
  const answer = fromBinary(RateLimitResponseSchema, bytes)
  const { overallCode, statuses } = answer
  if (overallCode !== Code.OK && overallCode !== Code.OVER_LIMIT)
    throw new Error(`the server answered with code ${overallCode}`)
  const reached = statuses.find(({ code, currentLimit }) => code === Code.OVER_LIMIT && currentLimit !== undefined)
  return {
    limited: overallCode === Code.OVER_LIMIT,
    reached: reached === undefined ? undefined : decodeReached(reached),
    responseHeaders: decodeHeaders(answer.responseHeadersToAdd),
    requestHeaders: decodeHeaders(answer.requestHeadersToAdd),
    body: Buffer.from(answer.rawBody).toString(),
  }
}

const daySeconds = 86_400
/** A month and a year are as long as the servers that are in use take them for. */
const unitSeconds: ReadonlyMap<Unit, number> = new Map([
  [Unit.SECOND, 1],
  [Unit.MINUTE, 60],
  [Unit.HOUR, 3_600],
  [Unit.DAY, daySeconds],
  [Unit.MONTH, 30 * daySeconds],
  [Unit.YEAR, 365 * daySeconds],
])

function decodeReached({ currentLimit, durationUntilReset }: RateLimitResponse_DescriptorStatus): ReachedLimit {
  const { name = '', requestsPerUnit = 0, unit = Unit.UNKNOWN } = currentLimit ?? {}
  const { seconds = 0n, nanos = 0 } = durationUntilReset ?? {}
  return {
    name,
    requests: requestsPerUnit,
    windowSeconds: unitSeconds.get(unit),
    resetSeconds: Math.max(0, Number(seconds) + (nanos > 0 ? 1 : 0)),
  }
}

function decodeHeaders(headers: readonly HeaderValue[]): string[] {
  return headers.flatMap(({ key, value, rawValue }) => [
    key.toLowerCase(),
    rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : Buffer.from(value).toString('latin1'),
  ])
}
