// GatewayClass, Gateway, ReferenceGrant and XMesh.
import { isIP } from 'node:net'

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
  readonly tls?: ListenerTls
  readonly allowedRoutes: {
    readonly namespaces: { readonly from: 'All' | 'Selector' | 'Same'; readonly selector?: LabelSelector }
    /** Empty: every kind the protocol allows. */
    readonly kinds: readonly { readonly group: string; readonly kind: string }[]
  }
}

export interface ListenerTls {
  readonly mode: 'Terminate' | 'Passthrough'
  readonly certificateRefs: readonly SecretReference[]
}

export interface SecretReference {
  /** "" is the core group. */
  readonly group: string
  readonly kind: string
  readonly name: string
  /** Absent: the Gateway's own. */
  readonly namespace?: string
}

export interface GatewaySpec {
  readonly gatewayClassName: string
  /** Where its proxy is asked to listen. */
  readonly addresses: readonly { readonly type: string; readonly value?: string }[]
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

const listenerTlsSchema: z.ZodType<ListenerTls> = z.strictObject({
  mode: z.enum(['Terminate', 'Passthrough']).default('Terminate'),
  certificateRefs: z
    .array(
      z.strictObject({
        group: groupNameSchema.default(''),
        kind: kindNameSchema.default('Secret'),
        name: objectNameSchema,
        namespace: namespaceNameSchema.exactOptional(),
      }),
    )
    .max(64)
    .default([]),
  options: z.record(z.string(), z.string()).optional(),
})

const listenerSchema: z.ZodType<GatewayListener> = z.strictObject({
  name: objectNameSchema,
  hostname: hostnameSchema.exactOptional(),
  port: portSchema,
  protocol: z.string().min(1).max(255),
  tls: listenerTlsSchema.exactOptional(),
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
    checkTls(ctx, index)
  }
}

function checkTls(ctx: z.core.ParsePayload<GatewayListener[]>, index: number): void {
  const { protocol, tls, hostname } = ctx.value[index] as GatewayListener
  const issue = (path: string[], message: string, code?: string): void => {
    ctx.issues.push(ruleIssue(ctx.value[index], [index, ...path], message, code))
  }
  if ((protocol === 'TCP' || protocol === 'UDP') && hostname !== undefined)
    issue(['hostname'], `"hostname" does not go with protocol ${protocol}`)
  if ((protocol === 'HTTP' || protocol === 'TCP' || protocol === 'UDP') && tls !== undefined)
    issue(['tls'], `"tls" does not go with protocol ${protocol}`)
  if (protocol === 'HTTPS' && tls?.mode === 'Passthrough')
    issue(['tls', 'mode'], 'the mode must be Terminate for protocol HTTPS: use protocol TLS to pass it through')
  if (protocol === 'TLS' && tls === undefined) issue(['tls'], '"tls" is missing: the protocol is TLS', 'HDL006')
}

const addressSchema = z
  .strictObject({
    type: z.string().min(1).max(253).default('IPAddress'),
    value: z.string().min(1).max(253).exactOptional(),
  })
  .check((ctx) => {
    const { type, value } = ctx.value
    if (type === 'IPAddress' && value !== undefined && isIP(value) === 0)
      ctx.issues.push(ruleIssue(value, ['value'], `"${value}" is not an IP address`))
  })

export const gatewayFields: z.ZodRawShape = {
  spec: z.strictObject({
    gatewayClassName: objectNameSchema,
    listeners: z.array(listenerSchema).min(1).max(64).check(uniqueNames()).check(checkListeners),
    addresses: z.array(addressSchema).max(16).default([]),
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
