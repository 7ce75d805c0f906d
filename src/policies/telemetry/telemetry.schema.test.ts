import { expect, it } from 'vitest'

import { meshTelemetry, narrowedTelemetry, toTelemetrySpec } from './telemetry.schema.ts'
import type { CollectorOf, TelemetryFields } from './telemetry.schema.ts'

const collector = { cluster: 'otel.example:4317', timeoutMs: 5_000 }
const other = { cluster: 'other.example:4317', timeoutMs: 5_000 }
const logs = { cluster: 'logs.example:4317', timeoutMs: 5_000 }
const collectorOf: CollectorOf = (provider, signal) => {
  if (signal === 'logs') return provider?.name === 'logs' ? logs : undefined
  return { otel: collector, other }[provider?.name ?? '']
}
const mesh = meshTelemetry(
  { enabled: true, samplePercent: 1, encoding: 'JSON' },
  { provider: { name: 'otel' }, randomSamplingPercentage: 2.5, preloadPropagation: false },
)

function told(...narrower: readonly TelemetryFields[]) {
  return toTelemetrySpec(narrower.reduce(narrowedTelemetry, mesh), collectorOf)
}

it('is what the MeshConfig says, where no document says otherwise', () => {
  const accessLog = { enabled: true, samplePercent: 1 }
  expect(told()).toEqual({ accessLog, tracing: { collector, randomSamplingPercent: 2.5 } })
  expect(told({})).toEqual(told())
})

it('takes each field from the narrowest scope that says it', () => {
  const namespace: TelemetryFields = {
    tracing: { samplingRate: { numerator: 1, denominator: 1000 } },
    metrics: { mode: 'Disabled' },
    accessLogs: { samplePercent: 100, encoding: 'TEXT', format: '%DURATION%' },
    decisionRecords: { mode: 'Disabled' },
  }
  expect(told(namespace)).toEqual({
    accessLog: { enabled: true, samplePercent: 100, format: '%DURATION%' },
    tracing: { collector, randomSamplingPercent: 0.1 },
    muted: { metrics: true, decisionRecords: true },
  })
  const workload: TelemetryFields = {
    tracing: { provider: { name: 'other' } },
    metrics: { mode: 'Enabled' },
    accessLogs: { encoding: 'JSON' },
  }
  expect(told(namespace, workload)).toEqual({
    accessLog: { enabled: true, samplePercent: 100 },
    tracing: { collector: other, randomSamplingPercent: 0.1 },
    muted: { metrics: false, decisionRecords: true },
  })
})

it('has one format of lines, and one place where they go, of one scope', () => {
  const wide: TelemetryFields = {
    accessLogs: { matches: 'mtls', json: { code: '%RESPONSE_CODE%' }, provider: { name: 'logs' } },
  }
  const file = { path: '/var/log/a.log', rotateAtMiB: 1, keptFiles: 2 }
  const output = { kind: 'file', path: file.path, rotation: { longestBytes: 1024 * 1024, keptFiles: 2 } }
  const wideOutput = { kind: 'collector', collector: logs }
  const base = { enabled: true, samplePercent: 1, matches: 'mtls' }
  expect(told(wide).accessLog).toEqual({ ...base, json: { code: '%RESPONSE_CODE%' }, output: wideOutput })
  const text: TelemetryFields = { accessLogs: { encoding: 'TEXT', format: '%DURATION%' } }
  expect(told(wide, text).accessLog).toEqual({ ...base, format: '%DURATION%', output: wideOutput })
  expect(told(wide, text, { accessLogs: { file } }).accessLog).toEqual({ ...base, format: '%DURATION%', output })
  expect(told(wide, { accessLogs: { file } }, wide).accessLog).toEqual(told(wide).accessLog)
})

it('turns off, and on again with what a wider scope has said', () => {
  const off: TelemetryFields = { tracing: { mode: 'Disabled' }, accessLogs: { mode: 'Disabled' } }
  expect(told(off)).toEqual({ accessLog: { enabled: false, samplePercent: 1 } })
  expect(told(off, { tracing: { mode: 'Enabled' }, accessLogs: { mode: 'Enabled' } })).toEqual(told())
  expect(told(off, { tracing: { samplingRate: { numerator: 1, denominator: 1 } } }).tracing).toBeUndefined()
})

it('has no spans for a collector that nobody knows', () => {
  expect(told({ tracing: { provider: { name: 'otle' } } }).tracing).toBeUndefined()
})
