// /v1/authority: the certificate authority's own certificates, the rotation of its root and intermediate, and what is revoked.
import type { FastifyInstance } from 'fastify'

import type { AuthorityStatus, Revocation, RotationKind, TrustBundleDocument } from '../../contracts/control-api.ts'
import { errorMessage } from '../../core/errors.ts'
import { ApiFailure } from './api-failure.ts'

export interface AuthorityPort {
  status(): AuthorityStatus
  /** The mesh's own, for others. */
  bundle(): TrustBundleDocument
  /** Rejects when one is under way already, or the new certificate cannot be made. */
  start(kind: RotationKind): Promise<void>
  /** Throws, with the reason, when there can be no such identity. */
  revoke(spiffeId: string, reason: string): Revocation
  /** Throws when the next key cannot be kept. */
  rotateJwtKey(): void
}

const mostReason = 200

export function registerAuthorityRoutes(app: FastifyInstance, authority: AuthorityPort): void {
  app.get('/v1/authority', () => authority.status())

  app.get('/v1/authority/bundle', () => authority.bundle())

  app.post<{ Body: { kind?: unknown } | null }>('/v1/authority/rotations', async ({ body }, reply) => {
    const kind = body?.kind
    if (kind !== 'root' && kind !== 'intermediate' && kind !== 'jwt') {
      throw new ApiFailure(400, { code: 'bad-request', message: 'kind is "root", "intermediate" or "jwt"' })
    }
    try {
      if (kind === 'jwt') authority.rotateJwtKey()
      else await authority.start(kind)
    } catch (error) {
      throw new ApiFailure(409, {
        code: 'rotation-refused',
        message: errorMessage(error),
        hint: '`heddle certs` shows how far it has come',
      })
    }
    reply.code(202)
    return authority.status()
  })

  app.post<{ Body: { spiffeId?: unknown; reason?: unknown } | null }>('/v1/authority/revocations', (request, reply) => {
    const { spiffeId, reason = '' } = request.body ?? {}
    if (typeof spiffeId !== 'string' || typeof reason !== 'string' || reason.length > mostReason) {
      const message = `spiffeId is a SPIFFE ID, reason a text of at most ${mostReason} characters`
      throw new ApiFailure(400, { code: 'bad-request', message })
    }
    request.audited = [{ object: `identity/${spiffeId}`, action: reason === '' ? 'revoked' : `revoked: ${reason}` }]
    try {
      authority.revoke(spiffeId, reason)
    } catch (error) {
      throw new ApiFailure(422, { code: 'revocation-refused', message: errorMessage(error) })
    }
    reply.code(201)
    return authority.status()
  })
}
