// TLSRoute and TCPRoute: connections as a whole, by SNI or not at all.
import { isIP } from 'node:net'

import { z } from 'zod'

import { hostnameSchema, objectNameSchema, ruleIssue } from '../../policies/scalars.schema.ts'
import {
  backendReferenceFields,
  checkBackendPort,
  weightSchema,
} from '../../policies/traffic-split/traffic-split.schema.ts'
import type { BackendReference } from '../../policies/traffic-split/traffic-split.schema.ts'
import { checkParentRefs, parentRefSchema } from './route-kinds.ts'
import type { ParentReference } from './route-kinds.ts'

export interface StreamRouteRule {
  readonly name?: string
  readonly backendRefs: readonly (BackendReference & { readonly weight: number })[]
}

export interface TcpRouteSpec {
  readonly parentRefs: readonly ParentReference[]
  readonly rules: readonly StreamRouteRule[]
}

export interface TlsRouteSpec extends TcpRouteSpec {
  readonly hostnames: readonly string[]
}

const ruleSchema: z.ZodType<StreamRouteRule> = z.strictObject({
  name: objectNameSchema.exactOptional(),
  backendRefs: z
    .array(z.strictObject({ ...backendReferenceFields, weight: weightSchema }).check(checkBackendPort))
    .min(1)
    .max(16),
})

const streamFields = {
  parentRefs: z.array(parentRefSchema).max(32).check(checkParentRefs).default([]),
  // nothing tells one rule's connections from another's: the Gateway API has one
  rules: z.array(ruleSchema).min(1).max(1),
}

export const tcpRouteFields: z.ZodRawShape = { spec: z.strictObject(streamFields) }

export const tlsRouteFields: z.ZodRawShape = {
  spec: z.strictObject({
    ...streamFields,
    hostnames: z
      .array(hostnameSchema)
      .max(16)
      .check((ctx) => {
        for (const [index, hostname] of ctx.value.entries())
          if (isIP(hostname) !== 0)
            ctx.issues.push(ruleIssue(hostname, [index], `"${hostname}" is an IP address: SNI has only names`))
      })
      .default([]),
  }),
}
