import { describe, expect, it } from 'vitest'

import { immediately } from '../../../test/kit/immediately.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import { HeaderList } from '../../core/header-list.ts'
import { silentLogger } from '../../core/logger.ts'
import { createRandom } from '../../core/random.ts'
import type { AccessLogSpec, LogRecord } from '../../policies/access-log/access-log.spec.ts'
import { Redactor } from '../../policies/redaction/redaction.runtime.ts'
import { createAccessLog } from './access-log.ts'
import { createRecordSink } from './decision-records.ts'
import type { Exchange } from './exchange.ts'

const identity = { workload: 'default/web', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }
const collector = { cluster: 'otel', timeoutMs: 100 }

function logging(isWritable = true) {
  const clock = new ManualClock()
  const lines: string[] = []
  const files: string[] = []
  const records: LogRecord[] = []
  const counts: string[] = []
  const errors: string[] = []
  const log = createAccessLog({
    outputs: {
      write: (line) => isWritable && lines.push(line) > 0,
      writeFile(path, rotation, line, counted) {
        files.push(`${path} ${rotation.keptFiles} ${line}`)
        counted('failed', 1)
      },
      send: (_, record) => void records.push(record),
    },
    counter: { accessLogCounted: (output, result, how) => void counts.push(`${output} ${result} ${how}`) },
    clock,
    random: createRandom(1),
    redactor: () => new Redactor({ fields: [], headers: ['x-ssn'] }),
    logger: {
      ...silentLogger,
      error: (message) => void errors.push(message),
    },
  })
  return { lines, files, records, counts, errors, sink: createRecordSink(identity, clock, immediately, log) }
}

function all(spec: Partial<AccessLogSpec>): Partial<Exchange> {
  return { accessLog: { enabled: true, samplePercent: 100, ...spec } }
}

function json(lines: readonly string[]): Record<string, unknown>[] {
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

const { request } = sampleExchange()

describe('the access log', () => {
  it('writes one JSON line a request', () => {
    const { lines, sink, counts } = logging()
    const detail = 'text with "quotes"\nand a break'
    const failed: Partial<Exchange> = { detail, flags: ['UF'], status: 503, durationMs: 1.23456 }
    sink.finished(sampleExchange({ ...failed, request: { ...request, path: '/x\u2028y\u009b' } }))
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toMatch(/[\n\u2028\u009b]/)
    expect(json(lines)[0]).toMatchObject({
      time: 1_700_000_000_000,
      method: 'GET',
      authority: 'reviews:9080',
      path: '/x\u2028y\u009b',
      status: 503,
      flags: ['UF'],
      detail,
      duration_ms: 1.235,
      source_workload: 'default/web',
      destination_workload: 'default/reviews-v1',
      route_source: 'mesh.yaml:12',
      attempts: 1,
      mtls: false,
      revision: '7',
    })
    expect(counts).toEqual(['stdout written 1'])
  })

  it('shows no header that the configuration wants shown nowhere', () => {
    const { lines, sink } = logging()
    const headers = HeaderList.of(['X-Ssn', '123'], ['x-tenant', 'blue'])
    const fields = { ssn: '%REQ(X-SSN)%', tenant: '%REQ(X-TENANT)%' }
    sink.finished(sampleExchange({ ...all({ json: fields }), request: { ...request, headers } }))
    expect(lines).toEqual(['{"ssn":"***","tenant":"blue"}'])
  })

  it('counts what there was no place for', () => {
    const { sink, counts } = logging(false)
    sink.finished(sampleExchange())
    expect(counts).toEqual(['stdout overflow 1'])
  })

  it('says by which rule a request was refused', () => {
    const { lines, sink } = logging()
    const reason = 'denied by AuthorizationPolicy/default/api, rule 1'
    const source = { document: 'AuthorizationPolicy/default/api', rule: '0', file: 'mesh.yaml', line: 7, column: 5 }
    const verdict = { policy: 'AuthorizationPolicy/default/api/0', source, reason, audited: [], shadow: undefined }
    sink.finished(sampleExchange({ status: 403, flags: ['UAEX'], authorization: { ...verdict, allowed: false } }))
    sink.finished(sampleExchange({ status: 500, authorization: { ...verdict, allowed: true } }))
    const [refused, allowed] = json(lines)
    expect(refused).toMatchObject({ authorization: reason, authorization_source: 'mesh.yaml:7' })
    expect(allowed).not.toHaveProperty('authorization')
  })

  it('has no line for a request that its listener does not log', () => {
    const { lines, sink } = logging()
    const none = { enabled: true, samplePercent: 0 }
    sink.finished(sampleExchange({ accessLog: undefined }))
    sink.finished(sampleExchange({ accessLog: none }))
    sink.finished(sampleExchange({ accessLog: none, status: 502 }))
    sink.finished(sampleExchange({ accessLog: none, status: 404, flags: ['NR'] }))
    expect(json(lines).map(({ status }) => status)).toEqual([502, 404])
  })

  it.each([
    ['response.status >= 500 && durationMs < 10', [503]],
    ['"UH" in response.flags || request.headers["x-tenant"] == "blue"', [200, 503]],
    ['destination.workload == "default/reviews-v1" && request.path.matches("^/reviews/[0-9]$")', [200, 503]],
    ['rateLimit.enforced', []],
    // no condition that a schema would let through
    ['response.status ==', []],
  ])('keeps to %s, whatever has failed', (matches, statuses) => {
    const { lines, sink, errors } = logging()
    const spec = all({ matches })
    const headers = HeaderList.of(['X-Tenant', 'blue'], ['authorization', 'Bearer x'])
    sink.finished(sampleExchange({ ...spec, request: { ...request, headers } }))
    sink.finished(sampleExchange({ ...spec, status: 503, flags: ['UH'] }))
    expect(json(lines).map(({ status }) => status)).toEqual(statuses)
    expect(errors.length).toBe(matches.endsWith('==') ? 1 : 0)
  })

  it('writes lines of its own shape to a file', () => {
    const { files, counts, sink } = logging()
    const output = { kind: 'file', path: '/var/log/a.log', rotation: { longestBytes: 1, keptFiles: 3 } } as const
    sink.finished(sampleExchange(all({ output, json: { s: '%RESPONSE_CODE%' } })))
    sink.finished(sampleExchange(all({ output, format: '%RESPONSE_CODE% %REQ(:METHOD)%' })))
    expect(files).toEqual(['/var/log/a.log 3 {"s":200}', '/var/log/a.log 3 200 GET'])
    expect(counts).toEqual(['file failed 1', 'file failed 1'])
  })

  it('tells a collector with the attributes of OpenTelemetry, and of which trace it was', () => {
    const { records, sink } = logging()
    const headers = HeaderList.of(['traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`])
    const output = { kind: 'collector', collector } as const
    const path = '/reviews/1?q=a&token=secret'
    sink.finished(
      sampleExchange({ ...all({ output }), request: { ...request, headers, path }, status: 503, flags: ['UH'] }),
    )
    sink.finished(sampleExchange(all({ output, format: '%REQ(:PATH)%', json: { status: '%RESPONSE_CODE%' } })))
    expect(records[0]).toMatchObject({
      failed: true,
      body: undefined,
      traceId: 'a'.repeat(32),
      spanId: 'b'.repeat(16),
      sampled: true,
      attributes: {
        'http.request.method': 'GET',
        'url.path': '/reviews/1',
        'url.query': 'q=a&token=***',
        'server.address': 'reviews',
        'server.port': 9080,
        'http.response.status_code': 503,
        'error.type': 'UH',
        'client.address': '127.0.0.1',
        'client.port': 40_000,
        'network.protocol.version': '1.1',
        'heddle.destination.workload': 'default/reviews-v1',
        'heddle.route_source': 'mesh.yaml:12',
      },
    })
    expect(records[1]).toMatchObject({
      failed: false,
      body: '/reviews/1',
      attributes: { status: 200 },
      traceId: undefined,
      sampled: false,
    })
  })

  it('shortens what is long for a collector', () => {
    const { records, sink } = logging()
    const output = { kind: 'collector', collector } as const
    const path = `/${'a'.repeat(5_000)}?${'b'.repeat(5_000)}`
    const long = { request: { ...request, path } }
    sink.finished(sampleExchange({ ...all({ output }), ...long }))
    sink.finished(
      sampleExchange({ ...all({ output, format: '%REQ(:PATH)%', json: { a: { b: '%REQ(:PATH)%' } } }), ...long }),
    )
    expect(records[0]?.attributes).toMatchObject({
      'url.path': `${path.slice(0, 1_024)}…`,
      'url.query': `${'b'.repeat(1_024)}…`,
    })
    expect(records[1]).toMatchObject({
      body: `${path.slice(0, 1_024)}…`,
      attributes: { a: { b: `${path.slice(0, 1_024)}…` } },
    })
  })

  it('calls a method that nobody knows by one name', () => {
    const { records, sink } = logging()
    const output = { kind: 'collector', collector } as const
    sink.finished(sampleExchange({ ...all({ output }), request: { ...request, method: 'BREW', authority: '[::1]' } }))
    expect(records[0]?.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'BREW',
      'server.address': '[::1]',
    })
  })
})
