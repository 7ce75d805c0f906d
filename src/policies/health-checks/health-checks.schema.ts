// `readinessProbe` and `livenessProbe` of a Workload and `healthCheck` of a TrafficPolicy, in the form of a Kubernetes probe, and their translation to the spec.
import { z } from 'zod'

import type { HealthCheckSpec, HealthQuestion } from '../../contracts/health-check.ts'
import { headerNameSchema, headerValueSchema, objectNameSchema, portSchema, ruleIssue } from '../scalars.schema.ts'

interface HttpGet {
  readonly path: string
  readonly host?: string
  readonly httpHeaders: readonly { readonly name: string; readonly value: string }[]
}

interface Pace {
  readonly periodSeconds: number
  readonly timeoutSeconds: number
  readonly successThreshold: number
  readonly failureThreshold: number
}

/** Exactly one of the three questions is there. */
export interface HealthCheckSettings extends Pace {
  readonly httpGet?: HttpGet
  readonly grpc?: { readonly service: string }
  readonly tcpSocket?: object
}

/** A port is a number, or the name of a port of the Workload. */
export interface Probe extends Pace {
  readonly httpGet?: HttpGet & { readonly port: number | string }
  readonly grpc?: { readonly service: string; readonly port: number | string }
  readonly tcpSocket?: { readonly port: number | string }
  readonly initialDelaySeconds: number
}

const seconds = z.int().min(1).max(3_600)
const threshold = z.int().min(1).max(1_000)

const pace = {
  periodSeconds: seconds.default(10),
  timeoutSeconds: seconds.default(1),
  successThreshold: threshold.default(1),
  failureThreshold: threshold.default(3),
}

const httpGet = {
  path: z
    .string()
    .max(2_048)
    .regex(/^\/[!-~]*$/, 'a path that begins with "/"')
    .default('/'),
  host: z
    .string()
    .max(261)
    .regex(/^[A-Za-z0-9.:_[\]-]+$/, 'a host name or an IP address')
    .exactOptional(),
  httpHeaders: z
    .array(z.strictObject({ name: headerNameSchema, value: headerValueSchema }))
    .max(16)
    .default([]),
}
const grpc = { service: z.string().max(256).default('') }
const namedPort = z.union([portSchema, objectNameSchema])

const questions = ['httpGet', 'grpc', 'tcpSocket'] as const
type Questions = Pace & { readonly [K in (typeof questions)[number]]?: object }

function coherent(ctx: z.core.ParsePayload<Questions>): void {
  const { periodSeconds, timeoutSeconds } = ctx.value
  const asked = questions.filter((name) => ctx.value[name] !== undefined)
  const [, second] = asked
  if (asked.length === 0)
    ctx.issues.push(
      ruleIssue(ctx.value, ['httpGet'], 'one of "httpGet", "grpc" and "tcpSocket" must be given', 'HDL006'),
    )
  if (second !== undefined)
    ctx.issues.push(ruleIssue(ctx.value, [second], `${asked.join(' and ')} exclude each other: one question is asked`))
  if (timeoutSeconds > periodSeconds) {
    const message = `waits longer for an answer than the period of ${periodSeconds}s`
    ctx.issues.push(ruleIssue(ctx.value, ['timeoutSeconds'], message))
  }
}

export const healthCheckSchema: z.ZodType<HealthCheckSettings> = z
  .strictObject({
    httpGet: z.strictObject(httpGet).exactOptional(),
    grpc: z.strictObject(grpc).exactOptional(),
    tcpSocket: z.strictObject({}).exactOptional(),
    ...pace,
  })
  .check(coherent)

export const probeSchema: z.ZodType<Probe> = z
  .strictObject({
    httpGet: z.strictObject({ ...httpGet, port: namedPort }).exactOptional(),
    grpc: z.strictObject({ ...grpc, port: namedPort }).exactOptional(),
    tcpSocket: z.strictObject({ port: namedPort }).exactOptional(),
    initialDelaySeconds: z.int().min(0).max(3_600).default(0),
    ...pace,
  })
  .check(coherent)

/** Kubernetes: one that has failed is not asked again before it is another. */
export const livenessProbeSchema: z.ZodType<Probe> = probeSchema.check((ctx) => {
  if (ctx.value.successThreshold !== 1)
    ctx.issues.push(ruleIssue(ctx.value, ['successThreshold'], 'the successThreshold of a livenessProbe is 1'))
})

export function toHealthCheckSpec(settings: HealthCheckSettings): HealthCheckSpec {
  return {
    question: questionOf(settings),
    intervalMs: settings.periodSeconds * 1_000,
    timeoutMs: settings.timeoutSeconds * 1_000,
    healthyThreshold: settings.successThreshold,
    unhealthyThreshold: settings.failureThreshold,
  }
}

/** Kubernetes takes every status of success and every redirect. */
const goodStatuses = [{ start: 200, end: 400 }]

function questionOf({ httpGet: get, grpc: call }: HealthCheckSettings): HealthQuestion {
  if (call !== undefined) return { kind: 'grpc', service: call.service }
  if (get === undefined) return { kind: 'tcp' }
  const { path, host, httpHeaders } = get
  return { kind: 'http', path, ...(host === undefined ? {} : { host }), headers: httpHeaders, statuses: goodStatuses }
}
