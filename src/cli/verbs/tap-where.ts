// `heddle tap --where`: a condition in CEL on any field of a decision record.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { recordFields } from '../../contracts/record-fields.ts'
import { type CelValue, parseCel, planCel } from '../../core/cel/library.ts'
import { type CelAttributes, celPatterns, checkCel } from '../../core/cel/type-check.ts'
import { errorMessage } from '../../core/errors.ts'
import { compileSearch } from '../../policies/route-match/full-match.runtime.ts'
import { CliError } from '../cli-error.ts'

/** Those of a record, and with `--bodies` of these. */
export const tapFields: CelAttributes = {
  ...recordFields,
  'bodies.request.bytes': 'double',
  'bodies.request.text': 'string',
  'bodies.response.bytes': 'double',
  'bodies.response.text': 'string',
}

/** A record without a field that is asked for does not fit. Throws CliError. */
export function compileWhere(text: string): (record: DecisionRecord) => boolean {
  const parsed = parseCel(text)
  if (!('expression' in parsed)) return refuse(parsed.message, parsed.offset)
  const { expression, offsetOf } = parsed
  const fault = checkCel(expression, tapFields)
  if (fault !== undefined) return refuse(fault.message, offsetOf(fault.part))
  const patterns = celPatterns(expression).map(({ pattern, part }) => {
    try {
      return [pattern, { test: compileSearch(pattern) }] as const
    } catch (error) {
      return refuse(errorMessage(error), offsetOf(part))
    }
  })
  const plan = planCel(expression, new Map(patterns))
  return (record) => plan.evaluate(record as unknown as Readonly<Record<string, CelValue>>) === true
}

function refuse(message: string, offset: number): never {
  throw new CliError(`--where, character ${offset + 1}: ${message}`, {
    hint: 'a condition in CEL on fields of a decision record, such as \'response.status >= 500 && "UH" in response.flags\'',
  })
}
