import { describe, expect, it } from 'vitest'

import { healthCheckSchema, livenessProbeSchema, probeSchema, toHealthCheckSpec } from './health-checks.schema.ts'

const problems = (schema: typeof healthCheckSchema | typeof probeSchema, value: object): string[] =>
  (schema.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)

describe('a health check as written', () => {
  it('has the defaults of a Kubernetes probe', () => {
    expect(toHealthCheckSpec(healthCheckSchema.parse({ httpGet: { path: '/healthz' } }))).toEqual({
      question: { kind: 'http', path: '/healthz', headers: [], statuses: [{ start: 200, end: 400 }] },
      intervalMs: 10_000,
      timeoutMs: 1_000,
      healthyThreshold: 1,
      unhealthyThreshold: 3,
    })
    expect(toHealthCheckSpec(healthCheckSchema.parse({ tcpSocket: {} })).question).toEqual({ kind: 'tcp' })
    expect(toHealthCheckSpec(healthCheckSchema.parse({ grpc: {} })).question).toEqual({ kind: 'grpc', service: '' })
  })

  it.each([
    [{}, /httpGet: one of "httpGet", "grpc" and "tcpSocket" must be given/],
    [{ httpGet: {}, tcpSocket: {} }, /tcpSocket: httpGet and tcpSocket exclude each other/],
    [{ httpGet: { path: 'healthz' } }, /httpGet.path: /],
    [{ tcpSocket: {}, timeoutSeconds: 20 }, /timeoutSeconds: waits longer for an answer than the period of 10s/],
    [{ tcpSocket: {}, periodSeconds: 0 }, /periodSeconds: /],
    [{ tcpSocket: {}, failureThreshold: 0 }, /failureThreshold: /],
    [{ tcpSocket: { port: 80 } }, /port/],
    [{ tcpSocket: {}, initialDelaySeconds: 1 }, /initialDelaySeconds/],
  ])('is refused: %o', (value, expected) => {
    expect(problems(healthCheckSchema, value).join('\n')).toMatch(expected)
  })
})

it('asks a Workload at a port by number or name', () => {
  expect(problems(probeSchema, { httpGet: { port: 8080 }, initialDelaySeconds: 2 })).toEqual([])
  expect(problems(probeSchema, { grpc: { port: 'grpc', service: 'orders' } })).toEqual([])
  expect(problems(livenessProbeSchema, { tcpSocket: { port: 80 }, successThreshold: 2 })).toEqual([
    'successThreshold: the successThreshold of a livenessProbe is 1',
  ])
  expect(problems(probeSchema, { httpGet: {} }).join('\n')).toMatch(/httpGet.port: /)
})
