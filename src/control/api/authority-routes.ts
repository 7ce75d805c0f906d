// /v1/authority: the certificate authority's own certificates, and the rotation of its root and intermediate.
import type { FastifyInstance } from 'fastify'

import type { AuthorityStatus, RotationKind, TrustBundleDocument } from '../../contracts/control-api.ts'
import { errorMessage } from '../../core/errors.ts'
import { ApiFailure } from './api-failure.ts'

export interface AuthorityPort {
  status(): AuthorityStatus
  /** The mesh's own, for others. */
  bundle(): TrustBundleDocument
  /** Throws when one is under way already, or the new certificate cannot be made. */
  start(kind: RotationKind): void
}

export function registerAuthorityRoutes(app: FastifyInstance, authority: AuthorityPort): void {
  app.get('/v1/authority', () => authority.status())

  app.get('/v1/authority/bundle', () => authority.bundle())

  app.post<{ Body: { kind?: unknown } | null }>('/v1/authority/rotations', ({ body }, reply) => {
    const kind = body?.kind
    if (kind !== 'root' && kind !== 'intermediate') {
      throw new ApiFailure(400, { code: 'bad-request', message: 'kind is "root" or "intermediate"' })
    }
    try {
      authority.start(kind)
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
}
