// Authorization servers as MeshConfig names them (`extensionProviders`, with the fields that Istio's users know).
import { z } from 'zod'

import { extensionServiceFields } from '../extension-service.schema.ts'
import type { ExtensionService } from '../extension-service.schema.ts'
import { rateLimitServerSchema } from '../rate-limit/rate-limit-server.schema.ts'
import type { RateLimitServer } from '../rate-limit/rate-limit-server.schema.ts'
import { durationMs, foldCase, ruleIssue, uniqueNames } from '../scalars.schema.ts'
import { traceCollectorSchema } from '../tracing/tracing.schema.ts'
import type { TraceCollector } from '../tracing/tracing.schema.ts'
import type { ExternalAuthorizationSpec, RequestBodyInCheck } from './external-authorization.spec.ts'

export interface AuthorizationServer extends ExtensionService {
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

/** Has one of them. */
export interface ExtensionProvider {
  readonly name: string
  readonly envoyExtAuthzGrpc?: AuthorizationServer
  readonly envoyExtAuthzHttp?: HttpAuthorizationServer
  readonly envoyRateLimitGrpc?: RateLimitServer
  readonly opentelemetry?: TraceCollector
}

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
  ...extensionServiceFields('5s'),
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
    envoyRateLimitGrpc: rateLimitServerSchema.exactOptional(),
    opentelemetry: traceCollectorSchema.exactOptional(),
  })
  .check((ctx) => {
    const { name: _, ...kinds } = ctx.value
    const given = Object.values(kinds).filter((one) => one !== undefined)
    if (given.length !== 1) {
      const message = 'Give either "envoyExtAuthzGrpc", "envoyExtAuthzHttp", "envoyRateLimitGrpc" or "opentelemetry"'
      ctx.issues.push(ruleIssue(ctx.value, [], message, 'HDL006'))
    }
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
