// Kinds of the Kubernetes core and discovery groups. Fields that mean nothing outside Kubernetes are accepted and left alone.
import { z } from 'zod'

import { hostnameSchema, objectNameSchema, portSchema, uniqueNames } from '../../policies/scalars.schema.ts'

export interface ServiceSpec {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
  /** Absent: EndpointSlices say what is behind it. */
  readonly selector?: Readonly<Record<string, string>>
  readonly ports: readonly ServicePort[]
  readonly externalName?: string
}

export interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly targetPort?: number | string
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly appProtocol?: string
}

const unused = z.unknown().optional()

const servicePortSchema = z.strictObject({
  name: objectNameSchema.exactOptional(),
  port: portSchema,
  targetPort: z.union([portSchema, z.string().min(1)]).exactOptional(),
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
  appProtocol: z.string().exactOptional(),
  nodePort: unused,
})

export const labelsSchema: z.ZodType<Readonly<Record<string, string>>> = z.record(z.string(), z.string())

const serviceSpecSchema = z.strictObject({
  type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']).default('ClusterIP'),
  selector: labelsSchema.exactOptional(),
  ports: z
    .array(servicePortSchema)
    .check(uniqueNames())
    .check((ctx) => {
      const seen = new Set<string>()
      for (const [index, { port, protocol }] of ctx.value.entries()) {
        const key = `${port}/${protocol}`
        if (seen.has(key))
          ctx.issues.push({
            code: 'custom',
            input: port,
            path: [index, 'port'],
            message: `port ${port} occurs twice`,
            params: { code: 'HDL007' },
          })
        seen.add(key)
      }
    })
    .default([]),
  externalName: hostnameSchema.exactOptional(),
  allocateLoadBalancerNodePorts: unused,
  clusterIP: unused,
  clusterIPs: unused,
  externalIPs: unused,
  externalTrafficPolicy: unused,
  healthCheckNodePort: unused,
  internalTrafficPolicy: unused,
  ipFamilies: unused,
  ipFamilyPolicy: unused,
  loadBalancerClass: unused,
  loadBalancerIP: unused,
  loadBalancerSourceRanges: unused,
  publishNotReadyAddresses: unused,
  sessionAffinity: unused,
  sessionAffinityConfig: unused,
  trafficDistribution: unused,
})

export interface EndpointSliceSpec {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN'
  readonly endpoints: readonly {
    readonly addresses: readonly string[]
    readonly conditions: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
    readonly targetRef?: { readonly kind?: string; readonly namespace?: string; readonly name?: string }
  }[]
  /** Without a port: every port of the Service. */
  readonly ports: readonly { readonly name: string; readonly port?: number; readonly protocol: string }[]
}

const endpointSchema = z.strictObject({
  addresses: z.array(z.string().min(1)).min(1).max(100),
  conditions: z
    .strictObject({
      ready: z.boolean().exactOptional(),
      serving: z.boolean().exactOptional(),
      terminating: z.boolean().exactOptional(),
    })
    .default({}),
  targetRef: z
    .strictObject({
      kind: z.string().exactOptional(),
      namespace: z.string().exactOptional(),
      name: z.string().exactOptional(),
      apiVersion: unused,
      fieldPath: unused,
      resourceVersion: unused,
      uid: unused,
    })
    .exactOptional(),
  deprecatedTopology: unused,
  hints: unused,
  hostname: unused,
  nodeName: unused,
  zone: unused,
})

export const serviceFields: z.ZodRawShape = { spec: serviceSpecSchema }

export const endpointSliceFields: z.ZodRawShape = {
  addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
  endpoints: z.array(endpointSchema).default([]),
  ports: z
    .array(
      z.strictObject({
        name: z.string().default(''),
        port: portSchema.exactOptional(),
        protocol: z.string().default('TCP'),
        appProtocol: unused,
      }),
    )
    .default([]),
}

export const namespaceFields: z.ZodRawShape = { spec: unused }

export const serviceAccountFields: z.ZodRawShape = {
  automountServiceAccountToken: unused,
  imagePullSecrets: unused,
  secrets: unused,
}
