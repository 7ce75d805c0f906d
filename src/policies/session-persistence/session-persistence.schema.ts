// `sessionPersistence` of a route's rule (Gateway API, GEP-1619) as written, and its translation to the spec.
import { z } from 'zod'

import { durationMs, durationSchema, headerNameSchema, ruleIssue } from '../scalars.schema.ts'
import type { SessionPersistenceSpec } from './session-persistence.spec.ts'

export interface SessionPersistence {
  readonly sessionName?: string
  readonly absoluteTimeout?: string
  readonly idleTimeout?: string
  readonly type: 'Cookie' | 'Header'
  readonly cookieConfig?: { readonly lifetimeType: 'Session' | 'Permanent' }
}

const timeoutSchema = durationSchema.refine((text) => durationMs(text) > 0, 'the timeout must be above 0')

export const sessionPersistenceSchema: z.ZodType<SessionPersistence> = z
  .strictObject({
    sessionName: headerNameSchema.exactOptional(),
    absoluteTimeout: timeoutSchema.exactOptional(),
    idleTimeout: timeoutSchema.exactOptional(),
    type: z.enum(['Cookie', 'Header']).default('Cookie'),
    cookieConfig: z.strictObject({ lifetimeType: z.enum(['Session', 'Permanent']).default('Session') }).exactOptional(),
  })
  .check((ctx) => {
    const { type, cookieConfig, absoluteTimeout } = ctx.value
    if (type === 'Header' && cookieConfig !== undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['cookieConfig'], '"cookieConfig" does not go with type Header'))
    if (cookieConfig?.lifetimeType === 'Permanent' && absoluteTimeout === undefined)
      ctx.issues.push(
        ruleIssue(ctx.value, ['absoluteTimeout'], '"absoluteTimeout" is missing: the cookie is Permanent', 'HDL006'),
      )
  })

/** `defaultName`: where the rule gives none. Different rules have different ones. */
export function toSessionPersistenceSpec(settings: SessionPersistence, defaultName: string): SessionPersistenceSpec {
  const { sessionName = defaultName, absoluteTimeout, idleTimeout, type, cookieConfig } = settings
  return {
    carrier: type === 'Header' ? 'header' : 'cookie',
    name: type === 'Header' ? sessionName.toLowerCase() : sessionName,
    ...(absoluteTimeout === undefined ? {} : { absoluteTimeoutMs: durationMs(absoluteTimeout) }),
    ...(idleTimeout === undefined ? {} : { idleTimeoutMs: durationMs(idleTimeout) }),
    ...(cookieConfig?.lifetimeType === 'Permanent' ? { permanent: true } : {}),
  }
}
