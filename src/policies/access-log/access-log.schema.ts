// The access log as written in MeshConfig.
import { z } from 'zod'

import type { AccessLogSpec } from './access-log.spec.ts'

/** One in a hundred by default: enough to see what traffic there is, cheap enough to leave on. */
export const accessLogSchema: z.ZodType<AccessLogSpec> = z.strictObject({
  enabled: z.boolean().default(true),
  samplePercent: z.number().min(0).max(100).default(1),
})
