// BackendObjectReference and the weight of a BackendRef, as fields of the objects that carry them.
import { z } from 'zod'

import {
  groupNameSchema,
  kindNameSchema,
  namespaceNameSchema,
  objectNameSchema,
  portSchema,
  ruleIssue,
} from '../scalars.schema.ts'
import type { WeightedSpec } from './traffic-split.spec.ts'

export interface BackendReference {
  /** "" is the core group. */
  readonly group: string
  readonly kind: string
  readonly name: string
  /** Absent: the route's own. */
  readonly namespace?: string
  readonly port?: number
}

export const backendReferenceFields: {
  readonly group: z.ZodType<string>
  readonly kind: z.ZodType<string>
  readonly name: z.ZodType<string>
  readonly namespace: z.ZodExactOptional<z.ZodType<string>>
  readonly port: z.ZodExactOptional<z.ZodType<number>>
} = {
  group: groupNameSchema.default(''),
  kind: kindNameSchema.default('Service'),
  name: objectNameSchema,
  namespace: namespaceNameSchema.exactOptional(),
  port: portSchema.exactOptional(),
}

export const weightSchema: z.ZodType<WeightedSpec['weight']> = z.int().min(0).max(1_000_000).default(1)

/** Gateway API: a reference to a Service must have a port. */
export function checkBackendPort(ctx: z.core.ParsePayload<BackendReference>): void {
  const { group, kind, port } = ctx.value
  if (port === undefined && group === '' && kind === 'Service')
    ctx.issues.push(ruleIssue(ctx.value, ['port'], '"port" is missing: a Service needs one', 'HDL006'))
}
