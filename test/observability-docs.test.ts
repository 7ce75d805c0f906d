// What docs/observability says of metrics is what the code counts: the catalogue is made from it, and dashboards and alerts name nothing else.
// UPDATE_GOLDEN=1 writes the catalogue anew.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, it } from 'vitest'

import { lineOperators } from '../src/contracts/access-log-format.ts'
import { controlPlaneMetrics, proxyMetrics } from '../src/contracts/telemetry/metrics.ts'
import { HeaderList } from '../src/core/header-list.ts'
import type { MetricDefinition } from '../src/core/metrics/metric-definition.ts'
import { formatAccessLogLine } from '../src/proxy/telemetry/access-log.ts'
import { toDecisionRecord } from '../src/proxy/telemetry/decision-records.ts'
import type { Exchange } from '../src/proxy/telemetry/exchange.ts'
import { logRecordOf } from '../src/proxy/telemetry/log-records.ts'
import { sampleExchange } from './kit/sample-exchange.ts'

const docs = join(import.meta.dirname, '../docs')
const page = join(docs, 'observability.md')
const begin = '<!-- metrics: begin -->'
const end = '<!-- metrics: end -->'

function catalogue(title: string, metrics: readonly MetricDefinition[]): string {
  const rows = metrics.map(({ name, kind, labels, help }) => {
    const list = labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${kind} | ${list} | ${help.replaceAll('|', '\\|')} |`
  })
  return `### ${title}\n\n| metric | kind | labels | what it counts |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`
}

it('lists every metric with its labels', () => {
  const wanted = `\n\n${catalogue('Of sidecars and gateways', Object.values(proxyMetrics))}\n${catalogue('Of the control plane', Object.values(controlPlaneMetrics))}\n`
  const text = readFileSync(page, 'utf8')
  const [before = '', rest = ''] = text.split(begin)
  const [written, behind = ''] = rest.split(end)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(page, `${before}${begin}${wanted}${end}${behind}`)
  else expect(withoutPadding(written)).toBe(withoutPadding(wanted))
})

/** Tables are set in columns by the formatter. */
function withoutPadding(text = ''): string {
  return text.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---').trim()
}

it('asks for metrics that there are', () => {
  const known = new Set([...Object.values(proxyMetrics), ...Object.values(controlPlaneMetrics)].map(({ name }) => name))
  const folder = join(docs, 'observability')
  for (const file of readdirSync(folder)) {
    const names = readFileSync(join(folder, file), 'utf8').match(/\bheddle_\w+/g) ?? []
    for (const name of names) expect(known, file).toContain(name.replace(/_(?:bucket|sum|count)$/, ''))
  }
})

it('has every field of the access log, every operator and every attribute', () => {
  const text = readFileSync(join(docs, 'access-log.md'), 'utf8')
  const identity = { workload: 'a/b', spiffeId: 'spiffe://a' }
  const record = toDecisionRecord(fullExchange(), identity, 'id', 0)
  const { attributes } = logRecordOf(record, fullExchange(), undefined, undefined, 0)
  const fields = Object.keys(JSON.parse(formatAccessLogLine(record)) as object)
  for (const name of [...fields, ...lineOperators, ...Object.keys(attributes)]) expect(text).toContain(`\`${name}\``)
})

/** Nothing of it is left out of its line. */
function fullExchange(): Exchange {
  const exchange = sampleExchange({ grpcStatus: 0, detail: 'd', sourcePrincipal: 's', metadata: { a: 1 } })
  const headers = HeaderList.of(['x-request-id', 'i'], ['traceparent', 't'], ['user-agent', 'u'])
  const source = { document: 'd', file: 'f', line: 1, column: 1 }
  const authorization = { allowed: false, policy: 'p', source, reason: 'r', audited: [], shadow: undefined }
  return { ...exchange, request: { ...exchange.request, headers }, authorization }
}
