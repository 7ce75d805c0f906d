// Whether a trace that begins at a hop is sampled, and what its spans say besides.
import { expect, it } from 'vitest'

import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { Redactor } from '../../policies/redaction/redaction.runtime.ts'
import type { TracingSpec } from '../../policies/tracing/tracing.spec.ts'
import { spansOf } from './spans.ts'
import { TraceSampling } from './trace-sampling.ts'

const identity = { workload: 'shop/web', spiffeId: 'spiffe://mesh.local/ns/shop/sa/web' }
const tracing: TracingSpec = {
  collector: { cluster: 'otel', timeoutMs: 1_000 },
  randomSamplingPercent: 0,
  samplingRules: [
    { matches: 'request.path.startsWith("/checkout")', samplingPercent: 100 },
    {
      matches: 'source.principal == "spiffe://mesh.local/ns/shop/sa/web" && request.path == "/own"',
      samplingPercent: 100,
    },
    { matches: 'source.principal == "spiffe://mesh.local/ns/shop/sa/cart"', samplingPercent: 100 },
  ],
}

function begin(path: string, changes: Parameters<typeof sampleExchange>[0] = {}, traceparent?: string) {
  const headers = traceparent === undefined ? new HeaderList() : HeaderList.of(['traceparent', traceparent])
  const request = { ...sampleExchange().request, path, headers }
  return new TraceSampling(identity, createRandom(1)).begin(sampleExchange({ request, ...changes }), tracing).context
}

it('samples by the first rule that matches, and by share where none does', () => {
  expect(begin('/checkout/1').sampled).toBe(true)
  expect(begin('/').sampled).toBe(false)
})

it('knows the caller: of what goes out the workload itself, of what comes in the peer', () => {
  expect(begin('/own').sampled).toBe(true)
  const inbound = { reporter: 'destination', mtls: true } as const
  expect(begin('/own', { ...inbound, sourcePrincipal: 'spiffe://mesh.local/ns/shop/sa/other' }).sampled).toBe(false)
  expect(begin('/', { ...inbound, sourcePrincipal: 'spiffe://mesh.local/ns/shop/sa/cart' }).sampled).toBe(true)
})

it('leaves a trace as whoever has begun it decided', () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`
  expect(begin('/checkout', {}, traceparent)).toMatchObject({ traceId: 'a'.repeat(32), sampled: false })
})

it('gives every span the attributes that were asked for', () => {
  const request = {
    ...sampleExchange().request,
    headers: HeaderList.of(['X-Tenant', 't'.repeat(2_000)], ['x-customer', '42']),
  }
  const attempt = { endpoint: '127.0.0.1:1', outcome: 'response', durationMs: 1, spanId: 'c'.repeat(16) } as const
  const exchange = sampleExchange({ request, attempts: [attempt] })
  const { context, ...told } = new TraceSampling(identity, createRandom(1)).begin(exchange, {
    ...tracing,
    attributes: [
      { name: 'tenant', kind: 'header', header: 'x-tenant' },
      { name: 'nobody', kind: 'header', header: 'x-nobody' },
      { name: 'customer', kind: 'header', header: 'x-customer' },
      { name: 'environment', kind: 'literal', value: 'production' },
    ],
  })
  const redactor = new Redactor({ fields: [], headers: ['x-customer'] })
  const spans = spansOf({ ...exchange, traced: { context, ...told } }, context, 0, createRandom(2), redactor)
  expect(spans).toHaveLength(2)
  for (const { attributes } of spans) {
    expect(attributes).toMatchObject({ tenant: 't'.repeat(1_024), environment: 'production', customer: '***' })
    expect(attributes['nobody']).toBeUndefined()
  }
})
