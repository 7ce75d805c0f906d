import { expect, it } from 'vitest'

import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { defaultLineFormat, parseLineFormat } from '../../contracts/access-log-format.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { toDecisionRecord } from '../../proxy/telemetry/decision-records.ts'
import type { Exchange } from '../../proxy/telemetry/exchange.ts'
import { formatLine } from './line-format.runtime.ts'

function record(changes: Partial<Exchange> = {}): DecisionRecord {
  const identity = { workload: 'default/web', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }
  return toDecisionRecord(sampleExchange(changes), identity, 'id', 1_700_000_000_123)
}

it('has the fields of Envoy, and "-" for what there is not', () => {
  expect(formatLine(defaultLineFormat, record())).toBe(
    '[2023-11-14T22:13:20.123Z] "GET /reviews/1 HTTP/1.1" 200 - - 0 12 3 "curl/8" "-" "reviews:9080" "127.0.0.1:20005" ' +
      'reviews.default.svc.cluster.local:9080 127.0.0.1:40000 HTTPRoute/default/reviews/0',
  )
})

it('keeps what callers send from ending the line or its quotes', () => {
  const { request } = sampleExchange()
  const line = formatLine(
    '"%REQ(:PATH)%" 100%%',
    record({ request: { ...request, path: '/a"b\\c\nd\u001b[31me\u2028f' } }),
  )
  expect(line).toBe('"/a\\"b\\\\c\\u000ad\\u001b[31me\\u2028f" 100%')
})

it('says what it does not know', () => {
  expect(parseLineFormat('%START_TIME')).toContain('no second "%"')
  expect(parseLineFormat('%NOTHING%')).toContain('%NOTHING% is not known')
  expect(parseLineFormat('%REQ(authorization)%')).toContain('not kept of a request')
})
