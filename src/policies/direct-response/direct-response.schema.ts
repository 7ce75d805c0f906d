// The form directResponse of a Filter document, and its translation to the spec.
import { z } from 'zod'

import { codecHeaders } from '../../contracts/http-message.ts'
import type { HeaderLineSpec } from '../header-modifier/header-modifier.spec.ts'
import { foldCase, headerNameSchema, headerValueSchema, ruleIssue, uniqueNames } from '../scalars.schema.ts'
import type { DirectResponseSpec } from './direct-response.spec.ts'

export interface DirectResponse {
  readonly status: number
  readonly headers: readonly HeaderLineSpec[]
  readonly body: string
}

/** Every route that answers so carries it to every proxy. */
const mostBodyBytes = 65_536

/** RFC 9110: these have no content. */
const bare: readonly number[] = [204, 205, 304]

export const directResponseSchema: z.ZodType<DirectResponse> = z
  .strictObject({
    status: z.int().min(200).max(599),
    headers: z
      .array(z.strictObject({ name: headerNameSchema, value: headerValueSchema }))
      .max(32)
      .check(uniqueNames(foldCase) as (ctx: z.core.ParsePayload<HeaderLineSpec[]>) => void)
      .default([]),
    body: z.string().default(''),
  })
  .check((ctx) => {
    const { status, headers, body } = ctx.value
    const bytes = Buffer.byteLength(body)
    if (bytes > mostBodyBytes)
      ctx.issues.push(ruleIssue(body, ['body'], `a body has ${mostBodyBytes} bytes at the most, this has ${bytes}`))
    if (bare.includes(status) && body !== '')
      ctx.issues.push(ruleIssue(body, ['body'], `a response with status ${status} has no body`))
    for (const [index, { name }] of headers.entries())
      if (codecHeaders.has(name.toLowerCase()))
        ctx.issues.push(ruleIssue(name, ['headers', index, 'name'], `${name} is made by the proxy: leave it out`))
  })

export function toDirectResponseSpec({ status, headers, body }: DirectResponse): DirectResponseSpec {
  return { status, headers, ...(body === '' ? {} : { body }) }
}
