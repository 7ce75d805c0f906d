// A condition in CEL, as written: whether it can be parsed, and decided.
import { z } from 'zod'

import { parseCel } from '../core/cel/library.ts'
import { type CelAttributes, celPatterns, checkCel } from '../core/cel/type-check.ts'
import { regexFault } from './scalars.schema.ts'

/** `attributes`: what it may ask about. Problems are placed inside the text. */
export function celConditionSchema(attributes: CelAttributes): z.ZodType<string> {
  return z.string().check((ctx) => {
    const fault = faultOf(ctx.value, attributes)
    if (fault === undefined) return
    const message = `the condition: ${fault.message}`
    const { offset } = fault
    ctx.issues.push({ code: 'custom', input: ctx.value, path: [], message, continue: true, params: { offset } })
  })
}

function faultOf(
  text: string,
  attributes: CelAttributes,
): { readonly message: string; readonly offset: number } | undefined {
  const parsed = parseCel(text)
  if ('message' in parsed) return parsed
  const { expression, offsetOf } = parsed
  const fault = checkCel(expression, attributes)
  if (fault !== undefined) return { message: fault.message, offset: offsetOf(fault.part) }
  for (const { pattern, part } of celPatterns(expression)) {
    const message = regexFault(pattern)
    if (message !== undefined) return { message, offset: offsetOf(part) }
  }
  return undefined
}
