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

/** A line of the access log that asks for a header which is hidden. */
export function checkLoggedHeaders(
  ctx: z.core.ParsePayload<{
    readonly accessLog: { readonly format?: string; readonly json?: object }
    readonly redaction?: RedactionSpec
  }>,
): void {
  const { accessLog, redaction } = ctx.value
  const formats = JSON.stringify([accessLog.format, accessLog.json]).toLowerCase()
  for (const [index, name] of redaction?.headers.entries() ?? [])
    if (formats.includes(`%req(${name})`))
      ctx.issues.push(ruleIssue(name, ['redaction', 'headers', index], `accessLog asks for "%REQ(${name})%"`))
}
