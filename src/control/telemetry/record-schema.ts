// A decision record as a proxy may say it: what it sends is held against this before it is believed, and the read API's document shows it.
import { z } from 'zod'

import type { AttemptRecord, DecisionRecord, ResponseFlag } from '../../contracts/decision-record.ts'

const text = z.string().max(8_192)
const absentText = text.optional()
const amount = z.number().nonnegative()
const count = z.int().nonnegative()

const flags: Readonly<Record<ResponseFlag, true>> = {
  NR: true,
  NC: true,
  UH: true,
  UF: true,
  UC: true,
  UT: true,
  URX: true,
  UO: true,
  DC: true,
  DPE: true,
  UPE: true,
  UAEX: true,
  RL: true,
  RLSE: true,
  FI: true,
  DI: true,
  SI: true,
  LR: true,
}
export const responseFlag: z.ZodType<ResponseFlag> = z.enum(Object.keys(flags) as [ResponseFlag, ...ResponseFlag[]])

const place = z.object({
  document: text,
  rule: text.exactOptional(),
  file: text.exactOptional(),
  line: count.exactOptional(),
  column: count.exactOptional(),
})

const attempt: z.ZodType<AttemptRecord> = z.object({
  endpoint: text,
  workload: absentText,
  outcome: z.enum(['response', 'connect-failure', 'refused', 'reset', 'timeout', 'protocol-error', 'cancelled']),
  status: count.optional(),
  startMs: amount.optional(),
  durationMs: amount,
  spanId: absentText,
  retriedBecause: absentText,
})

export const decisionRecord: z.ZodType<DecisionRecord> = z.object({
  id: text,
  startMs: amount.describe('Milliseconds since the Unix epoch.'),
  reporter: z.enum(['source', 'destination', 'gateway']),
  proxy: text,
  revision: text,
  request: z.object({
    method: text,
    authority: text,
    path: text,
    protocol: text,
    headers: z.record(text, text),
    bytes: count,
  }),
  source: z.object({ workload: absentText, principal: absentText, address: absentText }),
  destination: z.object({ workload: absentText, principal: absentText, service: absentText, address: absentText }),
  listener: text,
  authorization: z
    .object({
      allowed: z.boolean(),
      policy: absentText,
      source: place.optional(),
      reason: text,
      audited: z.array(text).max(100),
      shadow: z.object({ allowed: z.boolean(), policy: absentText }).optional(),
    })
    .optional(),
  rateLimit: z.object({ limit: text, enforced: z.boolean() }).optional(),
  filters: z
    .array(
      z.object({
        filter: text,
        phase: z.enum(['request', 'request_body', 'response', 'response_body']),
        did: z.enum(['changed', 'answered', 'failed']),
      }),
    )
    .optional(),
  metadata: z.record(text, z.union([text, z.number(), z.boolean()])).optional(),
  routeConfiguration: absentText,
  virtualHost: absentText,
  route: absentText,
  routeSource: place.optional(),
  split: z.object({ drawn: amount, total: amount, cluster: text }).optional(),
  cluster: absentText,
  attempts: z.array(attempt).max(100),
  response: z.object({
    status: count,
    grpcStatus: count.optional(),
    flags: z.array(responseFlag).max(20),
    bytes: count,
    detail: absentText,
  }),
  durationMs: amount,
  mtls: z.boolean(),
  trace: z.object({ traceId: text, spanId: text, parentSpanId: absentText }).optional(),
})
