// A rule's condition in CEL, as written: whether it can be parsed, and decided.
import { z } from 'zod'

import { documentAttributes } from '../../contracts/condition-attributes.ts'
import { parseCel } from '../../core/cel/library.ts'
import { celPatterns, checkCel } from '../../core/cel/type-check.ts'
import { regexFault } from '../scalars.schema.ts'

export const conditionExpressionSchema: z.ZodType<string> = z.string().check((ctx) => {
  const fault = faultOf(ctx.value)
  if (fault === undefined) return
  const message = `the condition: ${fault.message}`
  const { offset } = fault
  ctx.issues.push({ code: 'custom', input: ctx.value, path: [], message, continue: true, params: { offset } })
})

function faultOf(text: string): { readonly message: string; readonly offset: number } | undefined {
  const parsed = parseCel(text)
  if ('message' in parsed) return parsed
  const { expression, offsetOf } = parsed
  const fault = checkCel(expression, documentAttributes)
  if (fault !== undefined) return { message: fault.message, offset: offsetOf(fault.part) }
  for (const { pattern, part } of celPatterns(expression)) {
    const message = regexFault(pattern)
    if (message !== undefined) return { message, offset: offsetOf(part) }
  }
  return undefined
}

const callerAttributes = /\bsource\s*\.\s*principal\b|\bconnection\b/

/** What only the peer's certificate says. The caller shows its own proxy none, so that policies for what leaves may not ask. */
export function asksAboutCaller(condition: string): boolean {
  return callerAttributes.test(condition)
}
