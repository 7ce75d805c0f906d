// GatewayClass, Gateway, ReferenceGrant and XMesh.
import { z } from 'zod'

import {
  groupNameSchema,
  hostnameSchema,
  kindNameSchema,
  namespaceNameSchema,
  objectNameSchema,
  portSchema,
  ruleIssue,
  uniqueNames,
} from '../../policies/scalars.schema.ts'
import { labelsSchema } from './core-kinds.ts'

export interface ParametersReference {
  readonly group: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
}

/** GatewayClass and XMesh: who is responsible, and with which parameters. */
export interface ControllerSpec {
  readonly controllerName: string
  readonly description?: string
  readonly parametersRef?: ParametersReference
}

export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>
  readonly matchExpressions: readonly {
    readonly key: string
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
    readonly values: readonly string[]
  }[]
}

export interface GatewayListener {
  readonly name: string
  readonly hostname?: string
  readonly port: number
  readonly protocol: string
  readonly allowedRoutes: {
    readonly namespaces: { readonly from: 'All' | 'Selector' | 'Same'; readonly selector?: LabelSelector }
    /** Empty: every kind the protocol allows. */
    readonly kinds: readonly { readonly group: string; readonly kind: string }[]
  }
}

export interface GatewaySpec {
  readonly gatewayClassName: string
  readonly listeners: readonly GatewayListener[]
}

export interface ReferenceGrantSpec {
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[]
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[]
}

const unused = z.unknown().optional()

const selectorSchema: z.ZodType<LabelSelector> = z.strictObject({
  matchLabels: labelsSchema.default({}),
  matchExpressions: z
    .array(
      z.strictObject({
        key: z.string(),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string()).default([]),
      }),
    )
    .default([]),
})

const listenerSchema: z.ZodType<GatewayListener> = z.strictObject({
  name: objectNameSchema,
  hostname: hostnameSchema.exactOptional(),
  port: portSchema,
  protocol: z.string().min(1).max(255),
  tls: unused,
  allowedRoutes: z
    .strictObject({
      namespaces: z
        .strictObject({
          from: z.enum(['All', 'Selector', 'Same']).default('Same'),
          selector: selectorSchema.exactOptional(),
        })
        .check((ctx) => {
          if (ctx.value.from === 'Selector' && ctx.value.selector === undefined)
            ctx.issues.push(ruleIssue(ctx.value, ['selector'], '"selector" is missing: from is Selector', 'HDL006'))
        })
        .default({ from: 'Same' }),
      kinds: z
        .array(z.strictObject({ group: groupNameSchema.default('gateway.networking.k8s.io'), kind: kindNameSchema }))
        .max(8)
        .default([]),
    })
    .default({ namespaces: { from: 'Same' }, kinds: [] }),
})

function checkListeners(ctx: z.core.ParsePayload<GatewayListener[]>): void {
  const seen = new Set<string>()
  for (const [index, { port, protocol, hostname }] of ctx.value.entries()) {
    const key = `${port} ${protocol} ${hostname ?? ''}`
    if (seen.has(key))
      ctx.issues.push(
        ruleIssue(port, [index, 'port'], 'another listener has this port, protocol and hostname already', 'HDL007'),
      )
    seen.add(key)
  }
}

export const gatewayFields: z.ZodRawShape = {
  spec: z.strictObject({
    gatewayClassName: objectNameSchema,
    listeners: z.array(listenerSchema).min(1).max(64).check(uniqueNames()).check(checkListeners),
    addresses: unused,
    allowedListeners: unused,
    defaultScope: unused,
    infrastructure: unused,
    tls: unused,
  }),
}

const parametersRefSchema: z.ZodType<ParametersReference> = z.strictObject({
  group: groupNameSchema,
  kind: kindNameSchema,
  name: objectNameSchema,
  namespace: namespaceNameSchema.exactOptional(),
})

export const controllerFields: z.ZodRawShape = {
  spec: z.strictObject({
    controllerName: z
      .string()
      .max(253)
      .regex(
        /^[a-z0-9][a-z0-9.-]*\/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/,
        'a controller such as "heddle.dev/mesh-controller"',
      ),
    description: z.string().max(64).exactOptional(),
    parametersRef: parametersRefSchema.exactOptional(),
  }),
}

export const referenceGrantFields: z.ZodRawShape = {
  spec: z.strictObject({
    from: z
      .array(z.strictObject({ group: groupNameSchema, kind: kindNameSchema, namespace: namespaceNameSchema }))
      .min(1)
      .max(16),
    to: z
      .array(z.strictObject({ group: groupNameSchema, kind: kindNameSchema, name: objectNameSchema.exactOptional() }))
      .min(1)
      .max(16),
  }),
}
