import { describe, expect, it } from 'vitest'

import { sampleExchange } from '../../test/kit/sample-exchange.ts'
import type { DecisionRecord } from '../contracts/decision-record.ts'
import { recordFields } from '../contracts/record-fields.ts'
import { toDecisionRecord } from '../proxy/telemetry/decision-records.ts'
import type { Exchange } from '../proxy/telemetry/exchange.ts'
import { compileCondition } from './record-condition.ts'

/** As it comes over the wire. */
function record(changes: Partial<Exchange> = {}): DecisionRecord {
  const identity = { workload: 'default/web', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }
  const made = toDecisionRecord(sampleExchange({ status: 503, flags: ['UH'], ...changes }), identity, 'id', 1)
  return JSON.parse(JSON.stringify(made)) as DecisionRecord
}

describe('a condition on decision records', () => {
  it.each([
    ['response.status >= 500', true],
    ['response.status == 503 && durationMs < 10', true],
    ['"UH" in response.flags', true],
    ['response.flags.exists(flag, flag == "UF")', false],
    ['request.headers["user-agent"].startsWith("curl")', true],
    ['request.path.matches("^/reviews/[0-9]+$")', true],
    ['attempts.exists(attempt, attempt.endpoint == "127.0.0.1:20005")', true],
    ['destination.workload == "default/reviews-v1" && !mtls', true],
    ['route.startsWith("HTTPRoute/default/reviews/") && routeSource.line == 12', true],
    ['rateLimit.enforced', false],
    ['has(request.headers.cookie)', false],
  ])('%s is %s', (text, fits) => {
    const condition = compileCondition(text)
    expect(typeof condition === 'function' && condition(record())).toBe(fits)
  })

  it.each([
    ['response.stauts == 503', /character 9: "response.stauts" is not known/],
    ['response.status ==', /character \d+/],
    ['request.path', /of type string: expected a truth value/],
    ['request.path == 7', /does not take/],
    ['request.path.matches("(a)\\\\1")', /not supported in a regular expression/],
  ])('refuses %s and says why', (text, why) => {
    const fault = compileCondition(text)
    expect('message' in fault && `character ${fault.offset + 1}: ${fault.message}`).toMatch(why)
  })

  it('knows every field of a record', () => {
    const known = new Set(Object.keys(recordFields).map((name) => name.split('.', 1)[0]))
    const full: Record<string, unknown> = {
      ...toDecisionRecord(sampleExchange(), { workload: 'a/b', spiffeId: '' }, 'id', 1),
    }
    expect(Object.keys(full).filter((name) => !known.has(name))).toEqual([])
  })
})
