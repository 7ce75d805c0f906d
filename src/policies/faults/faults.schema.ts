// `faults` of a TrafficPolicy as written, and their translation to the spec.
import { z } from 'zod'

import { httpHeaderMatchesSchema, toValueMatchSpec } from '../route-match/route-match.schema.ts'
import type { HttpValueMatch } from '../route-match/route-match.schema.ts'
import { durationMs, durationSchema, namespaceNameSchema, ruleIssue } from '../scalars.schema.ts'
import type { AbortSource, FaultsSpec } from './faults.spec.ts'

export interface FaultsSettings {
  readonly callers?: readonly FaultCaller[]
  readonly headers: readonly HttpValueMatch[]
  readonly delay?: FaultShare & { readonly fixedDelay?: string; readonly byHeader: boolean }
  readonly abort?: FaultShare & {
    readonly httpStatus?: number
    readonly grpcStatus?: GrpcStatus
    readonly byHeader: boolean
  }
  readonly reset?: FaultShare
  readonly responseRateLimit?: FaultShare & { readonly limitKbps?: number; readonly byHeader: boolean }
  readonly maxActiveFaults?: number
}

/** Workloads and gateways whose requests suffer: those of a namespace, or of one service account. */
export interface FaultCaller {
  readonly namespace: string
  readonly serviceAccount?: string
}

interface FaultShare {
  readonly percent: number
}

/** In the order of their numbers, from 1. */
const grpcStatuses = [
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const
type GrpcStatus = (typeof grpcStatuses)[number]

const percentSchema = z.number().min(0).max(100).default(100)
const byHeaderSchema = z.boolean().default(false)

/** Exactly one of `fields` says what happens. */
function oneOf(...fields: readonly string[]): (ctx: z.core.ParsePayload) => void {
  return (ctx) => {
    const value = ctx.value as Readonly<Record<string, unknown>>
    const given = fields.filter((field) => value[field] !== undefined && value[field] !== false)
    if (given.length === 1) return
    const names = fields.map((field) => `"${field}"`).join(' or ')
    ctx.issues.push(ruleIssue(value, given.slice(1, 2), `Give either ${names}`, 'HDL006'))
  }
}

const callerSchema = z.strictObject({
  namespace: namespaceNameSchema,
  serviceAccount: z
    .string()
    .max(261)
    .regex(/^(gateway_)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'a service account, or "gateway_" and the name of a Gateway')
    .exactOptional(),
})

const suffered = ['delay', 'abort', 'reset', 'responseRateLimit'] as const

export const faultsSchema: z.ZodType<FaultsSettings> = z
  .strictObject({
    callers: z.array(callerSchema).min(1).max(64).exactOptional(),
    headers: httpHeaderMatchesSchema.default([]),
    delay: z
      .strictObject({
        fixedDelay: durationSchema
          .refine((delay) => durationMs(delay) > 0, '"fixedDelay" must be more than 0')
          .exactOptional(),
        byHeader: byHeaderSchema,
        percent: percentSchema,
      })
      .check(oneOf('fixedDelay', 'byHeader'))
      .exactOptional(),
    abort: z
      .strictObject({
        httpStatus: z.int().min(200).max(599).exactOptional(),
        grpcStatus: z.enum(grpcStatuses).exactOptional(),
        byHeader: byHeaderSchema,
        percent: percentSchema,
      })
      .check(oneOf('httpStatus', 'grpcStatus', 'byHeader'))
      .exactOptional(),
    reset: z.strictObject({ percent: percentSchema }).exactOptional(),
    responseRateLimit: z
      .strictObject({
        limitKbps: z.int().min(1).max(10_000_000).exactOptional(),
        byHeader: byHeaderSchema,
        percent: percentSchema,
      })
      .check(oneOf('limitKbps', 'byHeader'))
      .exactOptional(),
    maxActiveFaults: z.int().min(1).max(1_000_000).exactOptional(),
  })
  .check((ctx) => {
    const { abort, reset } = ctx.value
    if (suffered.every((fault) => ctx.value[fault] === undefined))
      ctx.issues.push(ruleIssue(ctx.value, [], `Give one of ${suffered.map((one) => `"${one}"`).join(', ')}`, 'HDL006'))
    if (reset !== undefined && abort?.percent === 100 && !abort.byHeader)
      ctx.issues.push(ruleIssue(reset, ['reset'], '"abort" takes every request: none is left to reset'))
  })

export function toFaultsSpec(settings: FaultsSettings): FaultsSpec {
  const { delay, abort, reset, responseRateLimit: rate, maxActiveFaults } = settings
  return {
    headers: settings.headers.map((header) => toValueMatchSpec(header, header.name.toLowerCase())),
    ...(delay === undefined
      ? {}
      : {
          delay: {
            share: shareOf(delay),
            by:
              delay.fixedDelay === undefined
                ? { kind: 'header' }
                : { kind: 'fixed', delayMs: durationMs(delay.fixedDelay) },
          },
        }),
    ...(abort === undefined ? {} : { abort: { share: shareOf(abort), by: abortSource(abort) } }),
    ...(reset === undefined ? {} : { reset: { share: shareOf(reset) } }),
    ...(rate === undefined
      ? {}
      : {
          responseRateLimit: {
            share: shareOf(rate),
            by: rate.limitKbps === undefined ? { kind: 'header' } : { kind: 'fixed', limitKbps: rate.limitKbps },
          },
        }),
    ...(maxActiveFaults === undefined ? {} : { maxActiveFaults }),
  }
}

function abortSource({ httpStatus, grpcStatus }: NonNullable<FaultsSettings['abort']>): AbortSource {
  if (httpStatus !== undefined) return { kind: 'http', status: httpStatus }
  if (grpcStatus !== undefined) return { kind: 'grpc', status: grpcStatuses.indexOf(grpcStatus) + 1 }
  return { kind: 'header' }
}

function shareOf({ percent }: FaultShare): number {
  return Math.round(percent * 10_000)
}
