// A condition in CEL on a decision record, compiled.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { type CelValue, parseCel, planCel } from '../../core/cel/library.ts'
import { celPatterns } from '../../core/cel/type-check.ts'
import type { HeaderList } from '../../core/header-list.ts'
import { joinedHeaders } from '../joined-headers.runtime.ts'
import { compileSearch } from '../route-match/full-match.runtime.ts'

/** False as well where it asks for something that the record does not have. */
export type RecordCondition = (record: DecisionRecord, headers: HeaderList) => boolean

/** Of one that is checked already. Throws an Error that says what is wrong with it all the same. */
export function compileRecordCondition(text: string): RecordCondition {
  const parsed = parseCel(text)
  if ('message' in parsed) throw new Error(parsed.message)
  const { expression } = parsed
  const tests = celPatterns(expression).map(({ pattern }) => [pattern, { test: compileSearch(pattern) }] as const)
  const plan = planCel(expression, new Map(tests))
  const asksForHeaders = /\bheaders\b/.test(text)
  return (record, headers) => {
    // a record keeps few of them
    const asked = asksForHeaders
      ? { ...record, request: { ...record.request, headers: joinedHeaders(headers) } }
      : record
    return plan.evaluate(asked as unknown as Readonly<Record<string, CelValue>>) === true
  }
}
