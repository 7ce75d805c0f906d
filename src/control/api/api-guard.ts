// What stands in front of every route of the API: the door, the token and its role, the type of what is sent; and behind it, the audit log.
import type { FastifyInstance, FastifyRequest } from 'fastify'

import { FailureLimit } from '../../core/failure-limit.ts'
import { doorHeaders, doorRefusal } from '../../core/loopback-door.ts'
import { ApiFailure } from './api-failure.ts'
import { mayAct, requiredRole } from './api-roles.ts'
import type { ApiCaller } from './api-tokens.ts'
import type { AuditedChange } from './audit-log.ts'
import type { ControlApiDeps } from './control-api-deps.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the token is known. */
    caller: ApiCaller | undefined
    /** Of the configuration, when the request came. */
    revisionBefore: string
    /** Set by routes that change something. */
    audited: readonly AuditedChange[]
  }
}

/** Answered with 401 in a minute; beyond, 429. A right token always serves: locking its holder out would be an attack too. */
const mostFailures = 30

/** YAML arrives as text. */
export const yamlTypes: readonly string[] = ['application/yaml', 'text/yaml']

/** Asked without a token: by probes and scrapers. */
const open: ReadonlySet<string> = new Set(['/v1/healthz', '/metrics'])

/** Says how workloads do: the supervisor's, every few moments. */
const notAudited = '/v1/workload-statuses'

export function guardApi(
  app: FastifyInstance,
  deps: Pick<ControlApiDeps, 'audit' | 'clock' | 'logger' | 'revision' | 'tokens'>,
): void {
  const { audit, clock, logger, revision, tokens } = deps
  const limit = new FailureLimit(clock, mostFailures)
  app.decorateRequest('caller', undefined)
  app.decorateRequest('revisionBefore', '')
  app.decorateRequest('audited')

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(doorHeaders)
    request.audited = []
    const refusal = doorRefusal(request.raw)
    if (refusal !== undefined) {
      const hint = 'ask by the address in mesh.json, and not from a web page'
      throw new ApiFailure(403, { code: 'forbidden', message: refusal, hint })
    }
    const { url } = request.routeOptions
    if (url !== undefined && open.has(url)) return
    const caller = tokens.callerOf(bearerToken(request))
    if (caller === undefined) {
      const waitMs = limit.failed()
      if (waitMs === undefined) {
        logger.warn('API request without a valid token', { method: request.method, from: request.ip })
        throw unauthorized()
      }
      reply.header('retry-after', Math.ceil(waitMs / 1000))
      throw new ApiFailure(429, { code: 'too-many-failures', message: 'too many requests without a valid token' })
    }
    request.caller = caller
    request.revisionBefore = revision()
    const required = requiredRole(request.method, url)
    if (!mayAct(caller.role, required)) {
      const message = `this needs the role ${required}; the token "${caller.name}" is a ${caller.role}'s`
      throw new ApiFailure(403, { code: 'forbidden', message, hint: 'ask an administrator for a token of that role' })
    }
    checkContentType(request)
  })

  app.addHook('onSend', async (request, reply) => {
    const { caller, method, routeOptions, revisionBefore } = request
    const { dryRun } = request.query as { readonly dryRun?: string }
    const tries = dryRun === 'true' && method === 'PUT' && routeOptions.url === '/v1/documents'
    const reads = method === 'GET' || method === 'HEAD' || tries
    if (caller === undefined || reads || routeOptions.url === notAudited) return
    audit.append({
      role: caller.role,
      token: caller.name,
      from: request.ip,
      request: `${method} ${routeOptions.url ?? request.url}`,
      status: reply.statusCode,
      changes: request.audited,
      revisionBefore,
      revisionAfter: revision(),
    })
  })
}

function bearerToken({ headers }: FastifyRequest): string {
  const [, token = ''] = /^Bearer (\S+)$/.exec(headers.authorization ?? '') ?? []
  return token
}

function unauthorized(): ApiFailure {
  return new ApiFailure(401, {
    code: 'unauthorized',
    message: 'this API needs a bearer token that it knows',
    hint: 'take adminToken from mesh.json in the state directory, or one made with `heddle token create`',
  })
}

/** What a form or a script of another site can send without asking first is none of these. */
function checkContentType({ method, headers, routeOptions }: FastifyRequest): void {
  if (method !== 'POST' && method !== 'PUT') return
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  const wanted = routeOptions.url === '/v1/documents' ? yamlTypes : ['application/json']
  if (wanted.includes(type.trim().toLowerCase())) return
  throw new ApiFailure(415, {
    code: 'bad-request',
    message: `the content type must be ${wanted[0]}, found "${type.slice(0, 100)}"`,
  })
}
