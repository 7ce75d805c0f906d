// Asks a rate limit server (Envoy's RateLimitService) through a cluster: with its load balancing, and inside the mesh with mutual TLS.
import type { AskRateLimit } from '../../policies/rate-limit/rate-limit.spec.ts'
import { decodeRateLimitAnswer, encodeRateLimitQuestion } from '../../policies/rate-limit/should-rate-limit.xds.ts'
import { askGrpc, type AskDeps } from '../upstream/ask-grpc.ts'

const path = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'

export function createAskRateLimit(cluster: string, deps: AskDeps): AskRateLimit {
  return async (question, signal) =>
    decodeRateLimitAnswer(await askGrpc(deps, cluster, path, encodeRateLimitQuestion(question), signal))
}
