// A rule's condition in CEL, as written.
import type { z } from 'zod'

import { documentAttributes } from '../../contracts/condition-attributes.ts'
import { celConditionSchema } from '../cel-condition.schema.ts'

export const conditionExpressionSchema: z.ZodType<string> = celConditionSchema(documentAttributes)

const callerAttributes = /\bsource\s*\.\s*principal\b|\bconnection\b/

/** What only the peer's certificate says. The caller shows its own proxy none, so that policies for what leaves may not ask. */
export function asksAboutCaller(condition: string): boolean {
  return callerAttributes.test(condition)
}
