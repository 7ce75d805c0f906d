import { create } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { checkLoggedHeaders, redactionSchema } from './redaction.schema.ts'
import { decodeRedaction, encodeRedaction } from './redaction.xds.ts'

const names = fc.array(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 5 })

it('redaction is the same behind the wire, and none where nothing is configured', () => {
  fc.assert(
    fc.property(names, names, (fields, headers) => {
      const decoded = decodeRedaction(encodeRedaction({ fields, headers }).map((one) => create(HttpFilterSchema, one)))
      expect(decoded).toEqual({ fields, headers })
    }),
  )
  expect([encodeRedaction(undefined), decodeRedaction([])]).toEqual([[], undefined])
})

it('redaction is written in any case, and hides nothing that requests are found by', () => {
  expect(redactionSchema.parse({ fields: ['IBAN'], headers: ['X-Customer'] })).toEqual({
    fields: ['iban'],
    headers: ['x-customer'],
  })
  expect(redactionSchema.parse({})).toEqual({ fields: [], headers: [] })
  const refused = redactionSchema.safeParse({ headers: ['user-agent', 'X-Request-Id'] })
  expect(refused.error?.issues.map(({ path, message }) => [path, message])).toEqual([
    [['headers', 1], 'requests are found by "x-request-id": it cannot be hidden'],
  ])
})

it('a header that is hidden is in no format of the access log', () => {
  expect(issues({ format: '%REQ(User-Agent)%' })).toEqual([])
  expect(issues({ format: '%REQ(X-Customer)% %PROTOCOL%' })).toMatchObject([{ path: ['redaction', 'headers', 0] }])
  expect(issues({ json: { who: { it: '%REQ(x-customer)%' } } })).toHaveLength(1)
})

function issues(accessLog: { format?: string; json?: object }): unknown[] {
  const ctx = { value: { accessLog, redaction: { fields: [], headers: ['x-customer'] } }, issues: [] }
  checkLoggedHeaders(ctx)
  return ctx.issues
}
