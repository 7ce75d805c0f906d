// /v1/tokens: the administrator makes tokens for others, sees whose there are, and takes them back.
import type { FastifyInstance } from 'fastify'

import type { ApiRole } from '../../contracts/control-api.ts'
import { ApiFailure } from './api-failure.ts'
import { apiRoles } from './api-roles.ts'
import { meshTokenName } from './api-tokens.ts'
import type { ApiTokens } from './api-tokens.ts'

export function registerTokenRoutes(app: FastifyInstance, tokens: ApiTokens): void {
  app.get('/v1/tokens', () => ({ tokens: tokens.list() }))

  app.post<{ Body: { name?: unknown; role?: unknown } | null }>('/v1/tokens', async (request, reply) => {
    const { name, role } = request.body ?? {}
    if (typeof name !== 'string' || !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name) || name === meshTokenName) {
      const message = `name must be one of lower-case letters, digits and "-", and not "${meshTokenName}"`
      throw new ApiFailure(400, { code: 'bad-request', message })
    }
    if (!isRole(role)) {
      throw new ApiFailure(400, { code: 'bad-request', message: `role must be one of ${apiRoles.join(', ')}` })
    }
    const token = await tokens.create(name, role)
    if (token === undefined) {
      const hint = 'delete it first, or take another name'
      throw new ApiFailure(409, { code: 'conflict', message: `there is a token "${name}" already`, hint })
    }
    request.audited = [{ object: `token/${name}`, action: `created for role ${role}` }]
    reply.code(201)
    return { name, role, token }
  })

  app.delete<{ Params: { name: string } }>('/v1/tokens/:name', async (request, reply) => {
    const { name } = request.params
    if (!(await tokens.delete(name))) {
      throw new ApiFailure(404, { code: 'not-found', message: `there is no token "${name}"` })
    }
    request.audited = [{ object: `token/${name}`, action: 'deleted' }]
    return reply.code(204).send()
  })
}

function isRole(role: unknown): role is ApiRole {
  return apiRoles.some((one) => one === role)
}
