// Authorization servers as MeshConfig names them (`extensionProviders`, with the fields that Istio's users know).
import { z } from 'zod'

import { durationMs, durationSchema, foldCase, portSchema, ruleIssue, uniqueNames } from '../scalars.schema.ts'
import type { ExternalAuthorizationSpec, RequestBodyInCheck } from './external-authorization.spec.ts'

export interface AuthorizationServer {
  /** "ext-authz.default.svc.cluster.local", with "namespace/" in front where the name alone does not say which. */
  readonly service: string
  readonly port: number
  readonly timeout: string
  readonly failOpen: boolean
  readonly statusOnError: number
  readonly includeRequestBodyInCheck?: RequestBodyInCheck
}

export interface HttpAuthorizationServer extends AuthorizationServer {
  readonly pathPrefix: string
  readonly includeRequestHeadersInCheck: readonly string[]
  readonly headersToUpstreamOnAllow: readonly string[]
  readonly headersToDownstreamOnDeny: readonly string[]
}

/** Has one of both. */
export interface ExtensionProvider {
  readonly name: string
  readonly envoyExtAuthzGrpc?: AuthorizationServer
  readonly envoyExtAuthzHttp?: HttpAuthorizationServer
}

const serviceName = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

/** Istio writes it as a text. */
const statusSchema = z
  .union([z.int(), z.string().regex(/^[0-9]{3}$/, 'a status such as "503"')])
  .transform(Number)
  .pipe(z.int().min(400).max(599))

/** More than that is no question any more, and waits in memory for every request. */
const mostRequestBytes = 64 * 1024 * 1024

const requestBodySchema = z.strictObject({
  maxRequestBytes: z.int().min(1).max(mostRequestBytes),
  allowPartialMessage: z.boolean().default(false),
  packAsBytes: z.boolean().default(false),
})

const serverFields = {
  service: z.string().max(316).regex(serviceName, 'a service such as "auth.default.svc.cluster.local"'),
  port: portSchema,
  timeout: durationSchema.refine((timeout) => durationMs(timeout) > 0, '"timeout" must be more than 0').default('5s'),
  failOpen: z.boolean().default(false),
  statusOnError: statusSchema.default(403),
  includeRequestBodyInCheck: requestBodySchema.exactOptional(),
}

const headerPatternsSchema = z
  .array(
    z
      .string()
      .max(256)
      .regex(
        /^\*$|^\*?[A-Za-z0-9!#$%&'+\-.^_`|~]+$|^[A-Za-z0-9!#$%&'+\-.^_`|~]+\*$/,
        'a header name, "*" in front or behind for any',
      )
      .transform(foldCase),
  )
  .max(64)
  .default([])

const providerSchema = z
  .strictObject({
    name: z.string().min(1).max(253),
    envoyExtAuthzGrpc: z.strictObject(serverFields).exactOptional(),
    envoyExtAuthzHttp: z
      .strictObject({
        ...serverFields,
        pathPrefix: z
          .string()
          .max(1024)
          .regex(/^(\/[!-"$->@-~]*)?$/, 'a path such as "/check", without query')
          .default(''),
        includeRequestHeadersInCheck: headerPatternsSchema,
        headersToUpstreamOnAllow: headerPatternsSchema,
        headersToDownstreamOnDeny: headerPatternsSchema,
      })
      .exactOptional(),
  })
  .check((ctx) => {
    const { envoyExtAuthzGrpc, envoyExtAuthzHttp } = ctx.value
    if ((envoyExtAuthzGrpc === undefined) === (envoyExtAuthzHttp === undefined))
      ctx.issues.push(ruleIssue(ctx.value, [], 'Give either "envoyExtAuthzGrpc" or "envoyExtAuthzHttp"', 'HDL006'))
  })

export const extensionProvidersSchema: z.ZodType<readonly ExtensionProvider[]> = z
  .array(providerSchema)
  .max(64)
  .check(uniqueNames())
  .default([])

/** `cluster`: the one that leads to the provider's service. */
export function toExternalAuthorizationSpec(provider: ExtensionProvider, cluster: string): ExternalAuthorizationSpec {
  const { envoyExtAuthzGrpc: grpc, envoyExtAuthzHttp: http } = provider
  if (http !== undefined) {
    const { pathPrefix, headersToUpstreamOnAllow, headersToDownstreamOnDeny } = http
    return {
      service: { kind: 'http', cluster, pathPrefix, headersToUpstreamOnAllow, headersToDownstreamOnDeny },
      ...commonOf(http),
      headersInCheck: http.includeRequestHeadersInCheck,
    }
  }
  if (grpc === undefined) throw new Error(`the extension provider "${provider.name}" has no server`)
  return { service: { kind: 'grpc', cluster }, ...commonOf(grpc), headersInCheck: [] }
}

function commonOf({
  timeout,
  failOpen,
  statusOnError,
  includeRequestBodyInCheck: requestBody,
}: AuthorizationServer): Pick<ExternalAuthorizationSpec, 'timeoutMs' | 'failOpen' | 'statusOnError' | 'requestBody'> {
  const rest = { timeoutMs: durationMs(timeout), failOpen, statusOnError }
  return requestBody === undefined ? rest : { ...rest, requestBody }
}
