// /v1/join-tokens: the supervisor and the administrator make the tokens that proxies join with, see which there are, and revoke them.
import type { FastifyInstance, FastifyRequest } from 'fastify'

import type { JoinToken, JoinTokenList, JoinTokenRequest } from '../../contracts/control-api.ts'
import { durationMs, durationSchema } from '../../policies/scalars.schema.ts'
import { ApiFailure } from './api-failure.ts'

export interface JoinTokensPort {
  /** Undefined: the mesh has no such workload or gateway. */
  create(request: JoinTokenGrant): Promise<JoinToken | undefined>
  list(): Promise<JoinTokenList>
  /** Whether there was one. */
  revoke(id: string): Promise<boolean>
}

export interface JoinTokenGrant extends Pick<JoinTokenRequest, 'kind' | 'namespace' | 'name'> {
  readonly uses: number
  readonly ttlMs: number
}

interface Creation {
  Body: Partial<Record<keyof JoinTokenRequest, unknown>> | null
}

const defaultTtl = '10m'
const mostUses = 100
const shortestTtlMs = 1000
const longestTtlMs = 24 * 60 * 60_000

export function registerJoinTokenRoutes(app: FastifyInstance, tokens: JoinTokensPort): void {
  app.get('/v1/join-tokens', () => tokens.list())

  app.post<Creation>('/v1/join-tokens', (request) => create(tokens, request))

  app.delete<{ Params: { id: string } }>('/v1/join-tokens/:id', async (request, reply) => {
    const { id } = request.params
    if (!(await tokens.revoke(id))) {
      throw new ApiFailure(404, { code: 'not-found', message: `there is no join token "${id}"` })
    }
    request.audited = [{ object: `join-token/${id}`, action: 'revoked' }]
    return reply.code(204).send()
  })
}

async function create(tokens: JoinTokensPort, request: FastifyRequest<Creation>): Promise<JoinToken> {
  const grant = parseGrant(request.body ?? {})
  const { kind, namespace, name, uses } = grant
  const created = await tokens.create(grant)
  if (created === undefined) {
    const message = `the mesh has no ${kind === 'sidecar' ? 'workload' : 'gateway'} "${namespace}/${name}"`
    throw new ApiFailure(404, { code: 'not-found', message, hint: 'apply its document first' })
  }
  const times = uses === 1 ? 'once' : `${uses} times`
  const action = `created for ${kind} ${namespace}/${name} (${created.spiffeId}), ${times}`
  request.audited = [{ object: `join-token/${created.id}`, action }]
  return created
}

function parseGrant(body: Partial<Record<keyof JoinTokenRequest, unknown>>): JoinTokenGrant {
  const { kind, namespace, name, uses = 1, ttl = defaultTtl } = body
  if ((kind !== 'sidecar' && kind !== 'gateway') || typeof namespace !== 'string' || typeof name !== 'string') {
    throw refused('say for whom: kind "sidecar" or "gateway", namespace and name')
  }
  if (typeof uses !== 'number' || !Number.isInteger(uses) || uses < 1 || uses > mostUses) {
    throw refused(`uses is a whole number from 1 to ${mostUses}`)
  }
  const parsed = durationSchema.safeParse(ttl)
  const ttlMs = parsed.success ? durationMs(parsed.data) : 0
  if (ttlMs < shortestTtlMs || ttlMs > longestTtlMs) {
    throw refused('ttl is a duration from 1s to 24h, such as "10m"')
  }
  return { kind, namespace, name, uses, ttlMs }
}

function refused(message: string): ApiFailure {
  return new ApiFailure(400, { code: 'bad-request', message })
}
