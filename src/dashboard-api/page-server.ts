// The dashboard: the page, to anybody on loopback, and the read API behind it, to who has a token. At a port of its own, where nothing can be changed.
import { fastify, type FastifyInstance } from 'fastify'

import { answerFailures } from '../control/api/answer-failures.ts'
import { ApiFailure } from '../control/api/api-failure.ts'
import { guardApi } from '../control/api/api-guard.ts'
import type { ApiTokens } from '../control/api/api-tokens.ts'
import type { AuditLog } from '../control/api/audit-log.ts'
import type { Logger } from '../core/logger.ts'
import { doorRefusal } from '../core/loopback-door.ts'
import { sameDigest, secretDigest } from '../core/secret-digest.ts'
import type { PageAsset } from './page-assets.ts'
import type { ReadApiDeps } from './read-api-deps.ts'
import { registerReadApi } from './read-api.ts'

export interface PageServerDeps {
  readonly assets: ReadonlyMap<string, PageAsset>
  readonly readApi: ReadApiDeps
  /** The dashboard's own: it reads, here alone. */
  readonly token: string
  /** Those of the API serve here, too. */
  readonly tokens: ApiTokens
  readonly audit: AuditLog
  readonly logger: Logger
}

export interface PageServer {
  /** "http://127.0.0.1:15011". */
  readonly url: string
  stop(): Promise<void>
}

/** Scripts and styles are the page's own files, and it talks to nobody but this server. */
const pageHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
} as const

/** Rejects with the system's error (EADDRINUSE) when the port cannot be had. */
export async function startPageServer(deps: PageServerDeps, host: string, port: number): Promise<PageServer> {
  const app = buildPageServer(deps)
  const url = await app.listen({ host, port })
  return { url, stop: () => app.close() }
}

/** Without a socket, for tests: `inject` asks it. */
export function buildPageServer({ assets, readApi, token, tokens, audit, logger }: PageServerDeps): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true })
  answerFailures(app, logger)
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(pageHeaders)
    const refusal = doorRefusal(request.raw)
    if (refusal === undefined) return
    throw new ApiFailure(403, { code: 'forbidden', message: refusal, hint: 'open the address that `heddle ps` shows' })
  })
  for (const [path, { type, body, gzip, isHashed }] of assets) {
    app.get(path, ({ headers }, reply) => {
      const zipped = /\bgzip\b/.test(headers['accept-encoding'] ?? '')
      if (zipped) reply.header('content-encoding', 'gzip')
      reply.header('vary', 'accept-encoding')
      reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-store')
      return reply.type(type).send(zipped ? gzip : body)
    })
  }
  const own = secretDigest(token)
  const callerOf: ApiTokens['callerOf'] = (given) =>
    sameDigest(own, secretDigest(given)) ? { name: 'dashboard', role: 'viewer' } : tokens.callerOf(given)
  app.register(async (api) => {
    const revision = (): string => readApi.snapshot().revision
    guardApi(api, { audit, clock: readApi.clock, logger, revision, tokens: { ...tokens, callerOf } })
    registerReadApi(api, readApi)
  })
  return app
}
