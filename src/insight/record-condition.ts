// A condition in CEL on any field of a decision record: `heddle tap --where`, and the live tap of the page.
import type { DecisionRecord } from '../contracts/decision-record.ts'
import type { RecordConditionFault } from '../contracts/read-api.ts'
import { recordFields } from '../contracts/record-fields.ts'
import { type CelValue, parseCel, planCel } from '../core/cel/library.ts'
import { type CelAttributes, celPatterns, checkCel } from '../core/cel/type-check.ts'
import { errorMessage } from '../core/errors.ts'
import { compileSearch } from '../policies/route-match/full-match.runtime.ts'

/** A record without a field that is asked for does not fit. */
export type RecordCondition = (record: DecisionRecord) => boolean

export function compileCondition(
  text: string,
  fields: CelAttributes = recordFields,
): RecordCondition | RecordConditionFault {
  const parsed = parseCel(text)
  if (!('expression' in parsed)) return parsed
  const { expression, offsetOf } = parsed
  const fault = checkCel(expression, fields)
  if (fault !== undefined) return { message: fault.message, offset: offsetOf(fault.part) }
  const patterns = new Map<string, { readonly test: (text: string) => boolean }>()
  for (const { pattern, part } of celPatterns(expression)) {
    try {
      patterns.set(pattern, { test: compileSearch(pattern) })
    } catch (error) {
      return { message: errorMessage(error), offset: offsetOf(part) }
    }
  }
  const plan = planCel(expression, patterns)
  return (record) => plan.evaluate(record as unknown as Readonly<Record<string, CelValue>>) === true
}
