// `heddle tap --where`: a condition in CEL on any field of a decision record.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { type CelValue, parseCel, planCel } from '../../core/cel/library.ts'
import { type CelAttributes, celPatterns, checkCel } from '../../core/cel/type-check.ts'
import { errorMessage } from '../../core/errors.ts'
import { compileSearch } from '../../policies/route-match/full-match.runtime.ts'
import { CliError } from '../cli-error.ts'

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
  const fault = checkCel(expression, recordFields)
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
