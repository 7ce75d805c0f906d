// A transformation as written in a Filter document, and its translation to the spec.
import { z } from 'zod'

import { isOfResponse, parseHeaderValue } from '../../contracts/header-value.ts'
import { codecHeaders } from '../../contracts/http-message.ts'
import type { HeaderLineSpec, HeaderModifierSpec } from '../header-modifier/header-modifier.spec.ts'
import { foldCase, headerNameSchema, headerValueSchema, ruleIssue, uniqueNames } from '../scalars.schema.ts'
import type { TransformationSpec } from './transformation.spec.ts'

export interface Transformation {
  readonly request?: HeaderModifierSpec
  readonly response?: HeaderModifierSpec
}

type Direction = 'request' | 'response'

function valueSchema(direction: Direction): z.ZodType<string> {
  return headerValueSchema.check((ctx) => {
    const parsed = parseHeaderValue(ctx.value)
    if ('message' in parsed) {
      const { message, offset } = parsed
      ctx.issues.push({ code: 'custom', input: ctx.value, path: [], message, continue: true, params: { offset } })
    } else if (direction === 'request' && parsed.some(isOfResponse))
      ctx.issues.push(
        ruleIssue(
          ctx.value,
          [],
          'a request knows nothing of its response yet: RESP and RESPONSE_CODE go with "response"',
        ),
      )
  })
}

const nameSchema = headerNameSchema.check((ctx) => {
  if (codecHeaders.has(ctx.value.toLowerCase()))
    ctx.issues.push(
      ruleIssue(ctx.value, [], `${ctx.value} cannot be changed: it belongs to the connection, not to the message`),
    )
})

function changesSchema(direction: Direction): z.ZodType<HeaderModifierSpec> {
  const lines = z
    .array(z.strictObject({ name: nameSchema, value: valueSchema(direction) }))
    .max(32)
    .default([])
  return z
    .strictObject({
      set: lines.check(uniqueNames(foldCase) as (ctx: z.core.ParsePayload<HeaderLineSpec[]>) => void),
      add: lines,
      remove: z.array(nameSchema).max(32).default([]),
    })
    .check((ctx) => {
      const { set, add, remove } = ctx.value
      const kept = new Set([...set, ...add].map(({ name }) => name.toLowerCase()))
      for (const [index, name] of remove.entries())
        if (kept.has(name.toLowerCase()))
          ctx.issues.push(
            ruleIssue(name, ['remove', index], `${name} is removed last: what is set or added of it is lost`),
          )
    })
}

export const transformationSchema: z.ZodType<Transformation> = z
  .strictObject({
    request: changesSchema('request').exactOptional(),
    response: changesSchema('response').exactOptional(),
  })
  .check((ctx) => {
    const { request, response } = ctx.value
    if (request === undefined && response === undefined)
      ctx.issues.push(ruleIssue(ctx.value, [], 'one of "request" and "response" must be given', 'HDL006'))
  })

/** Whether values are made of what only the proxy knows that the caller has shown itself to: its certificate, its token. */
export function asksAboutCaller({ request, response }: Transformation): boolean {
  const lines = [request, response].flatMap((changes) => [...(changes?.set ?? []), ...(changes?.add ?? [])])
  return lines.some(({ value }) => {
    const parsed = parseHeaderValue(value)
    return !('message' in parsed) && parsed.some(({ kind }) => kind === 'caller' || kind === 'claim')
  })
}

const nothing: HeaderModifierSpec = { set: [], add: [], remove: [] }

export function toTransformationSpec({ request, response }: Transformation): TransformationSpec {
  return { request: request ?? nothing, response: response ?? nothing }
}
