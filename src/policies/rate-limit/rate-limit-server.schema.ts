// A rate limit server (Envoy's RateLimitService) as MeshConfig names it (`extensionProviders`).
import { z } from 'zod'

import { extensionServiceFields } from '../extension-service.schema.ts'
import type { ExtensionService } from '../extension-service.schema.ts'
import { durationMs } from '../scalars.schema.ts'
import type { RateLimitServerSpec } from './rate-limit.spec.ts'

export interface RateLimitServer extends ExtensionService {
  readonly failureModeDeny: boolean
}

export const rateLimitServerSchema: z.ZodType<RateLimitServer> = z.strictObject({
  ...extensionServiceFields('100ms'),
  failureModeDeny: z.boolean().default(false),
})

/** Where requests are refused that nobody has counted. */
const statusOnError = 503

/** `cluster`: the one that leads to the server. */
export function toRateLimitServerSpec(
  { timeout, failureModeDeny }: RateLimitServer,
  cluster: string,
): RateLimitServerSpec {
  return { cluster, timeoutMs: durationMs(timeout), failureModeDeny, statusOnError }
}
