// A condition in CEL on any field of a decision record: `heddle tap --where`, and the live tap of the page.
import type { DecisionRecord } from '../contracts/decision-record.ts'
import type { RecordConditionFault } from '../contracts/read-api.ts'
import { type CelValue, parseCel, planCel } from '../core/cel/library.ts'
import { type CelAttributes, celPatterns, checkCel } from '../core/cel/type-check.ts'
import { errorMessage } from '../core/errors.ts'
import { compileSearch } from '../policies/route-match/full-match.runtime.ts'

/** All that a record says. */
export const recordFields: CelAttributes = {
  id: 'string',
  startMs: 'double',
  durationMs: 'double',
  reporter: 'string',
  proxy: 'string',
  revision: 'string',
  mtls: 'bool',
  listener: 'string',
  'request.method': 'string',
  'request.authority': 'string',
  'request.path': 'string',
  'request.protocol': 'string',
  'request.headers': 'strings',
  'request.bytes': 'double',
  'source.workload': 'string',
  'source.principal': 'string',
  'source.address': 'string',
  'destination.workload': 'string',
  'destination.principal': 'string',
  'destination.service': 'string',
  'destination.address': 'string',
  'authorization.allowed': 'bool',
  'authorization.policy': 'string',
  'authorization.source': 'map',
  'authorization.reason': 'string',
  'authorization.audited': 'list',
  'authorization.shadow': 'map',
  'trace.traceId': 'string',
  'trace.spanId': 'string',
  'trace.parentSpanId': 'string',
  'rateLimit.limit': 'string',
  'rateLimit.enforced': 'bool',
  filters: 'list',
  metadata: 'map',
  routeConfiguration: 'string',
  virtualHost: 'string',
  route: 'string',
  'routeSource.document': 'string',
  'routeSource.rule': 'string',
  'routeSource.file': 'string',
  'routeSource.line': 'double',
  'routeSource.column': 'double',
  'split.drawn': 'double',
  'split.total': 'double',
  'split.cluster': 'string',
  cluster: 'string',
  attempts: 'list',
  'response.status': 'double',
  'response.grpcStatus': 'double',
  'response.flags': 'list',
  'response.bytes': 'double',
  'response.detail': 'string',
}

/** A record without a field that is asked for does not fit. */
export type RecordCondition = (record: DecisionRecord) => boolean

export function compileCondition(text: string): RecordCondition | RecordConditionFault {
  const parsed = parseCel(text)
  if (!('expression' in parsed)) return parsed
  const { expression, offsetOf } = parsed
  const fault = checkCel(expression, recordFields)
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
