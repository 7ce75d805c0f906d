// The access log as written in MeshConfig.
import { z } from 'zod'

import { defaultLineFormat, parseLineFormat } from '../../contracts/access-log-format.ts'
import { ruleIssue } from '../scalars.schema.ts'
import type { AccessLogSpec } from './access-log.spec.ts'

export interface AccessLogSettings {
  readonly enabled: boolean
  readonly samplePercent: number
  readonly encoding: 'JSON' | 'TEXT'
  /** Of TEXT. */
  readonly format?: string
}

/** One in a hundred by default: enough to see what traffic there is, cheap enough to leave on. */
export const accessLogSchema: z.ZodType<AccessLogSettings> = z
  .strictObject({
    enabled: z.boolean().default(true),
    samplePercent: z.number().min(0).max(100).default(1),
    encoding: z.enum(['JSON', 'TEXT']).default('JSON'),
    format: z.string().min(1).max(4096).exactOptional(),
  })
  .check((ctx) => {
    const { encoding, format } = ctx.value
    if (format === undefined) return
    if (encoding !== 'TEXT') ctx.issues.push(ruleIssue(format, ['format'], '"format" is of encoding TEXT'))
    const parsed = parseLineFormat(format)
    if (typeof parsed === 'string') ctx.issues.push(ruleIssue(format, ['format'], parsed))
  })

export function toAccessLogSpec({ encoding, format, ...rest }: AccessLogSettings): AccessLogSpec {
  return encoding === 'JSON' ? rest : { ...rest, format: format ?? defaultLineFormat }
}
