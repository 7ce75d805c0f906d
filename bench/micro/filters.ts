// What a TypeScript filter adds to an exchange: two calls that set a header each, at once and as promises. `node bench/micro/filters.ts`
import { systemClock } from '../../src/core/clock.ts'
import { DeadlineList } from '../../src/core/deadline-list.ts'
import { HeaderList } from '../../src/core/header-list.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { MetricRegistry } from '../../src/core/metrics/metric-registry.ts'
import { systemStopwatch } from '../../src/core/stopwatch.ts'
import { FilterPass } from '../../src/policies/typescript-filter/filter-pass.runtime.ts'
import { RunningFilter } from '../../src/policies/typescript-filter/running-filter.runtime.ts'
import { FilterMetrics } from '../../src/proxy/telemetry/filter-metrics.ts'

const spec = {
  name: 'Filter/default/measured',
  source: { document: 'Filter/default/measured' },
  code: '',
  sha256: '',
  config: {},
  timeBudgetMs: 5,
  onError: 'Continue',
  maxBodyBytes: 10,
} as const
const deps = {
  clock: systemClock,
  stopwatch: systemStopwatch,
  deadlines: new DeadlineList(systemClock),
  logger: silentLogger,
  meter: new FilterMetrics(new MetricRegistry(silentLogger)).of(spec.name),
}
const atOnce = new RunningFilter(
  spec,
  {
    onRequest: (request) => request.headers.set('x-a', 'b'),
    onResponse: (response) => response.headers.set('x-a', 'b'),
  },
  deps,
)
const asPromises = new RunningFilter(
  spec,
  {
    onRequest: async (request) => request.headers.set('x-a', 'b'),
    onResponse: async (response) => response.headers.set('x-a', 'b'),
  },
  deps,
)
const facts = { caller: { principal: undefined, address: '127.0.0.1' }, claims: undefined }
const lines = ['user-agent', 'curl/8', 'accept', '*/*', 'x-request-id', 'abc', 'traceparent', '00-aa-bb-01']

/** Microseconds an exchange. */
async function measure(filter: RunningFilter | undefined, exchanges: number): Promise<number> {
  const startMs = performance.now()
  for (let i = 0; i < exchanges; i++) {
    const head = {
      method: 'GET',
      scheme: 'http' as const,
      authority: 'a',
      path: '/',
      headers: new HeaderList([...lines]),
    }
    const response = { status: 200, headers: new HeaderList([...lines]) }
    if (filter === undefined) continue
    const pass = new FilterPass(facts)
    const passed = pass.passRequest(filter, head, undefined)
    if (passed instanceof Promise) await passed
    const answered = pass.passHead(response)
    if (answered instanceof Promise) await answered
  }
  return ((performance.now() - startMs) / exchanges) * 1000
}

const base = await measure(undefined, 300_000)
for (const [name, filter] of [
  ['at once', atOnce],
  ['as promises', asPromises],
] as const) {
  await measure(filter, 100_000)
  const took = (await measure(filter, 300_000)) - base
  console.log(`${name}: ${took.toFixed(2)} µs an exchange, ${(took / 2).toFixed(2)} µs a call`)
}
