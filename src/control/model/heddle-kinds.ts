// Heddle's own kinds (heddle.dev/v1alpha1): Workload, ExternalService, PeerAuthentication, MeshConfig.
import { isIP } from 'node:net'

import { z } from 'zod'

import { spiffeIdFault, splitSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import type { UnixRegistration } from '../../contracts/unix-registration.ts'
import { accessLogSchema } from '../../policies/access-log/access-log.schema.ts'
import type { AccessLogSettings } from '../../policies/access-log/access-log.schema.ts'
import { extensionProvidersSchema } from '../../policies/external-authorization/external-authorization.schema.ts'
import type { ExtensionProvider } from '../../policies/external-authorization/external-authorization.schema.ts'
import { checkTrustDomains, federationSchema } from '../../policies/federation/federation.schema.ts'
import type { FederationSpec } from '../../policies/federation/federation.spec.ts'
import { forwardedHeadersSchema } from '../../policies/forwarded-headers/forwarded-headers.schema.ts'
import type { ForwardedHeadersSettings } from '../../policies/forwarded-headers/forwarded-headers.schema.ts'
import { livenessProbeSchema, probeSchema } from '../../policies/health-checks/health-checks.schema.ts'
import type { Probe } from '../../policies/health-checks/health-checks.schema.ts'
import { metricsExportSchema } from '../../policies/metrics-export/metrics-export.schema.ts'
import type { MetricsExportSettings } from '../../policies/metrics-export/metrics-export.schema.ts'
import { pathNormalizationSchema } from '../../policies/path-normalization/path-normalization.schema.ts'
import type { PathNormalizationSettings } from '../../policies/path-normalization/path-normalization.schema.ts'
import {
  peerAuthenticationDocumentSchema,
  peerAuthenticationSchema,
} from '../../policies/peer-authentication/peer-authentication.schema.ts'
import type { PeerAuthenticationSpec } from '../../policies/peer-authentication/peer-authentication.spec.ts'
import { checkLoggedHeaders, redactionSchema } from '../../policies/redaction/redaction.schema.ts'
import type { RedactionSpec } from '../../policies/redaction/redaction.spec.ts'
import {
  durationMs,
  durationSchema,
  namespaceNameSchema,
  objectNameSchema,
  portSchema,
  preciseHostnameSchema,
  ruleIssue,
  uniqueNames,
} from '../../policies/scalars.schema.ts'
import { tracingSchema } from '../../policies/tracing/tracing.schema.ts'
import type { TracingSettings } from '../../policies/tracing/tracing.schema.ts'

export interface WorkloadSpec {
  readonly serviceAccount: string
  readonly address: string
  readonly ports: readonly { readonly name?: string; readonly port: number; readonly appProtocol?: string }[]
  /** Asked by whoever supervises it. Absent: it is ready when its ports accept connections. */
  readonly readinessProbe?: Probe
  /** Asked by the same: what fails it is started again. */
  readonly livenessProbe?: Probe
  readonly command?: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Absent: the folder of the file. */
  readonly workingDirectory?: string
  /** Which processes may be it; absent: those of the mesh's user. */
  readonly unix?: UnixRegistration
  readonly locality?: { readonly region?: string; readonly zone?: string; readonly subZone?: string }
  readonly weight: number
  /** "reviews", "reviews.shop", "reviews:9080", or the same in parts. */
  readonly uses: readonly (string | { readonly name: string; readonly namespace?: string; readonly port?: number })[]
}

export interface ExternalServiceSpec {
  readonly hosts: readonly string[]
  readonly ports: readonly {
    readonly name: string
    readonly port: number
    /** Where the endpoints listen, when not on the same port. */
    readonly targetPort?: number
    readonly protocol: 'http' | 'http2' | 'grpc' | 'tcp' | 'tls' | 'https'
  }[]
  /** Of a service in DNS the records say the port, the weight and the order. */
  readonly endpoints: readonly { readonly address: string; readonly port?: number; readonly weight: number }[]
  /** `dns`: the hosts, or the endpoints' addresses, are resolved; `static`: the endpoints are IP addresses. */
  readonly resolution: 'dns' | 'static'
  /** TLS that the proxy originates, on ports on which the application does not speak it itself. */
  readonly tls?: ExternalServiceTls
}

export interface ExternalServiceTls {
  /** `ISTIO_MUTUAL`: with the workload's own certificate, to a service of another trust domain. */
  readonly mode: 'SIMPLE' | 'ISTIO_MUTUAL' | 'DISABLE'
  /** Absent: the host. */
  readonly sni?: string
  /** Empty: the server must show a certificate for `sni`. Under `ISTIO_MUTUAL` the SPIFFE IDs that may answer, at least one. */
  readonly subjectAltNames: readonly string[]
  /** Absent: the roots that the runtime ships. */
  readonly caCertificateRef?: { readonly kind: 'ConfigMap' | 'Secret'; readonly name: string }
}

export interface MeshConfigSpec {
  readonly trustDomain: string
  readonly peerAuthentication: PeerAuthenticationSpec
  readonly outboundTrafficPolicy: { readonly mode: 'allowAny' | 'registryOnly' }
  readonly certificates: { readonly workloadLifetime: string }
  readonly h2UpgradePolicy: 'UPGRADE' | 'DO_NOT_UPGRADE'
  readonly accessLog: AccessLogSettings
  /** Absent: no spans. */
  readonly tracing?: TracingSettings
  /** Absent: metrics are told to whoever asks, and pushed to nobody. */
  readonly metrics?: MetricsExportSettings
  readonly pathNormalization: PathNormalizationSettings
  readonly forwardedHeaders: ForwardedHeadersSettings
  /** Absent: nothing but what sounds like a credential. */
  readonly redaction?: RedactionSpec
  /** Other names of this trust domain: principals of policies that are written with one mean the other as well. */
  readonly trustDomainAliases: readonly string[]
  /** Other trust domains that are trusted, each for its own identities. */
  readonly federation: FederationSpec
  /** Servers that AuthorizationPolicies with action CUSTOM ask. */
  readonly extensionProviders: readonly ExtensionProvider[]
  /** What is allowed where no AuthorizationPolicy with action ALLOW applies. */
  readonly authorization: { readonly defaultAction: 'allow' | 'deny' }
}

const endpointWeightSchema = z.int().min(1).max(1_000_000).default(1)

/** The greatest one means none (POSIX chown). */
const unixIdSchema = z.int().min(0).max(4_294_967_294)

const workloadSpecSchema = z.strictObject({
  serviceAccount: objectNameSchema.default('default'),
  address: preciseHostnameSchema.or(z.ipv6()).default('127.0.0.1'),
  ports: z
    .array(
      z.strictObject({
        name: objectNameSchema.exactOptional(),
        port: portSchema,
        appProtocol: z.string().exactOptional(),
      }),
    )
    .check(uniqueNames())
    .check((ctx) => {
      for (const [index, { port }] of ctx.value.entries())
        if (ctx.value.findIndex((other) => other.port === port) < index)
          ctx.issues.push(ruleIssue(port, [index, 'port'], `port ${port} occurs twice`, 'HDL007'))
    })
    .default([]),
  readinessProbe: probeSchema.exactOptional(),
  livenessProbe: livenessProbeSchema.exactOptional(),
  command: z.array(z.string()).min(1).exactOptional(),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, 'the name of an environment variable'), z.string())
    .default({}),
  workingDirectory: z.string().min(1).exactOptional(),
  unix: z
    .strictObject({
      uid: unixIdSchema.exactOptional(),
      gid: unixIdSchema.exactOptional(),
      path: z
        .string()
        .max(4095)
        .regex(/^\/[^\0]*[^\0/]$/, 'the absolute path of an executable')
        .exactOptional(),
    })
    .check((ctx) => {
      if (Object.keys(ctx.value).length === 0)
        ctx.issues.push(ruleIssue(ctx.value, [], '"unix" is empty: give it "uid", "gid" or "path"', 'HDL006'))
    })
    .exactOptional(),
  locality: z
    .strictObject({
      region: z.string().exactOptional(),
      zone: z.string().exactOptional(),
      subZone: z.string().exactOptional(),
    })
    .exactOptional(),
  weight: endpointWeightSchema,
  uses: z
    .array(
      z.union([
        z.string().regex(/^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?$/, 'a service such as "reviews" or "reviews.shop:9080"'),
        z.strictObject({
          name: objectNameSchema,
          namespace: namespaceNameSchema.exactOptional(),
          port: portSchema.exactOptional(),
        }),
      ]),
    )
    .default([]),
})

export const workloadFields: z.ZodRawShape = { spec: workloadSpecSchema.default(workloadSpecSchema.parse({})) }

/** Whose SRV records say where to go: "_http._tcp.api.example". */
const serviceNameSchema = z
  .string()
  .max(253)
  .regex(/^_[a-z0-9-]+\._(tcp|udp)\.[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'a service such as "_http._tcp.api.example"')

export const externalServiceFields: z.ZodRawShape = {
  spec: z
    .strictObject({
      hosts: z.array(preciseHostnameSchema).min(1).max(64),
      ports: z
        .array(
          z.strictObject({
            name: objectNameSchema.default(''),
            port: portSchema,
            targetPort: portSchema.exactOptional(),
            protocol: z.enum(['http', 'http2', 'grpc', 'tcp', 'tls', 'https']).default('http'),
          }),
        )
        .min(1)
        .check((ctx) => {
          for (const [index, { port }] of ctx.value.entries())
            if (ctx.value.findIndex((other) => other.port === port) < index)
              ctx.issues.push(ruleIssue(port, [index, 'port'], `port ${port} occurs twice`, 'HDL007'))
        }),
      endpoints: z
        .array(
          z.strictObject({
            address: preciseHostnameSchema.or(z.ipv6()).or(serviceNameSchema),
            port: portSchema.exactOptional(),
            weight: endpointWeightSchema,
          }),
        )
        .default([]),
      resolution: z.enum(['dns', 'static']).default('dns'),
      tls: z
        .strictObject({
          mode: z.enum(['SIMPLE', 'ISTIO_MUTUAL', 'DISABLE']).default('SIMPLE'),
          sni: preciseHostnameSchema.exactOptional(),
          subjectAltNames: z.array(z.string().min(1).max(2048)).max(16).default([]),
          caCertificateRef: z
            .strictObject({ kind: z.enum(['ConfigMap', 'Secret']).default('ConfigMap'), name: objectNameSchema })
            .exactOptional(),
        })
        .exactOptional(),
    })
    .check((ctx) => {
      const { resolution, endpoints, tls } = ctx.value
      if (tls?.mode === 'ISTIO_MUTUAL') {
        const { subjectAltNames: ids } = tls
        if (ids.length === 0) {
          const message = '"subjectAltNames" is missing: the SPIFFE IDs that may answer'
          ctx.issues.push(ruleIssue(tls, ['tls', 'subjectAltNames'], message, 'HDL006'))
        }
        for (const [index, id] of ids.entries()) {
          const fault = spiffeIdFault(id)
          if (fault === undefined && splitSpiffeId(id).path !== '') continue
          const message = `"${id}" is not the SPIFFE ID of a workload: ${fault ?? 'its SPIFFE ID has no path'}`
          ctx.issues.push(ruleIssue(id, ['tls', 'subjectAltNames', index], message))
        }
        for (const field of ['sni', 'caCertificateRef'] as const) {
          if (tls[field] === undefined) continue
          const message = `"${field}" says nothing under ISTIO_MUTUAL: the roots are those of the trust domains`
          ctx.issues.push(ruleIssue(tls, ['tls', field], message))
        }
      }
      for (const [index, { address, port }] of endpoints.entries())
        if (address.startsWith('_') && port !== undefined)
          ctx.issues.push(ruleIssue(port, ['endpoints', index, 'port'], `the SRV records of ${address} name the port`))
      if (resolution !== 'static') return
      if (endpoints.length === 0)
        ctx.issues.push(ruleIssue(ctx.value, ['endpoints'], '"endpoints" is missing: resolution is static', 'HDL006'))
      for (const [index, { address }] of endpoints.entries())
        if (isIP(address) === 0)
          ctx.issues.push(
            ruleIssue(
              address,
              ['endpoints', index, 'address'],
              `"${address}" is not an IP address: resolution is static`,
            ),
          )
    }),
}

const trustDomainSchema = z
  .string()
  .max(255)
  .regex(/^[a-z0-9._-]+$/, 'a trust domain of lower-case letters, digits, ".", "-" and "_"')
export const peerAuthenticationFields: z.ZodRawShape = {
  spec: peerAuthenticationDocumentSchema.default(peerAuthenticationDocumentSchema.parse({})),
}

const meshConfigSpecSchema = z
  .strictObject({
    trustDomain: trustDomainSchema.default('mesh.local'),
    trustDomainAliases: z.array(trustDomainSchema).max(16).default([]),
    federation: federationSchema.default(federationSchema.parse({})),
    extensionProviders: extensionProvidersSchema,
    authorization: z
      .strictObject({ defaultAction: z.enum(['allow', 'deny']).default('allow') })
      .default({ defaultAction: 'allow' }),
    peerAuthentication: peerAuthenticationSchema.default({ mode: 'STRICT' }),
    outboundTrafficPolicy: z
      .strictObject({ mode: z.enum(['allowAny', 'registryOnly']).default('allowAny') })
      .default({ mode: 'allowAny' }),
    certificates: z
      .strictObject({
        workloadLifetime: durationSchema
          .refine((text) => durationMs(text) >= 2000, { error: '"workloadLifetime" must be at least 2s' })
          .default('1h'),
      })
      .default({ workloadLifetime: '1h' }),
    h2UpgradePolicy: z.enum(['UPGRADE', 'DO_NOT_UPGRADE']).default('UPGRADE'),
    accessLog: accessLogSchema.default(accessLogSchema.parse({})),
    tracing: tracingSchema.exactOptional(),
    metrics: metricsExportSchema.exactOptional(),
    pathNormalization: pathNormalizationSchema.default(pathNormalizationSchema.parse({})),
    forwardedHeaders: forwardedHeadersSchema.default(forwardedHeadersSchema.parse({})),
    redaction: redactionSchema.exactOptional(),
  })
  .check(checkTrustDomains)
  .check(checkLoggedHeaders)

export const defaultMeshConfig: MeshConfigSpec = meshConfigSpecSchema.parse({})

export const meshConfigFields: z.ZodRawShape = { spec: meshConfigSpecSchema.default(meshConfigSpecSchema.parse({})) }
