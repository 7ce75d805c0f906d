// Redaction as written in MeshConfig.
import { z } from 'zod'

import { ruleIssue } from '../scalars.schema.ts'
import type { RedactionSpec } from './redaction.spec.ts'

/** Hops of a request are found by them. */
const needed = ['host', 'x-request-id', 'traceparent']

const names = z.array(z.string().min(1).max(256)).max(100).default([])

export const redactionSchema: z.ZodType<RedactionSpec> = z
  .strictObject({ fields: names, headers: names })
  .transform(({ fields, headers }) => ({ fields: fields.map(lowerCase), headers: headers.map(lowerCase) }))
  .check((ctx) => {
    for (const [index, name] of ctx.value.headers.entries())
      if (needed.includes(name))
        ctx.issues.push(ruleIssue(name, ['headers', index], `requests are found by "${name}": it cannot be hidden`))
  })

function lowerCase(text: string): string {
  return text.toLowerCase()
}
