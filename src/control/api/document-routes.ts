// /v1/documents: get, apply, delete, and (with dryRun) diff.
import type { FastifyInstance } from 'fastify'

import type { ApplyResult, DocumentKey, DocumentView } from '../../contracts/control-api.ts'
import { documentId } from '../model/document.ts'
import { ApiFailure } from './api-failure.ts'
import type { AuditedChange } from './audit-log.ts'
import type { ControlApiDeps } from './control-api-deps.ts'

export function registerDocumentRoutes(app: FastifyInstance, deps: Pick<ControlApiDeps, 'documents'>): void {
  app.get<{ Querystring: Partial<DocumentKey> }>('/v1/documents', ({ query }) => ({
    documents: deps.documents.list(keyFilter(query)),
  }))

  app.get<{ Params: DocumentKey }>('/v1/documents/:kind/:namespace/:name', ({ params }): DocumentView => {
    const [found] = deps.documents.list(keyOf(params))
    if (found === undefined) throw missing(params)
    return found
  })

  app.put<{ Body: string; Querystring: { dryRun?: string } }>('/v1/documents', async (request, reply) => {
    const { body, query, caller } = request
    const result = await deps.documents.apply(body, {
      dryRun: query.dryRun === 'true',
      mayRunPrograms: caller?.role === 'admin',
    })
    if (hasErrors(result)) reply.code(422)
    else request.audited = changesOf(result)
    return result
  })

  app.delete<{ Params: DocumentKey }>('/v1/documents/:kind/:namespace/:name', async (request, reply) => {
    const { params } = request
    const result = await deps.documents.delete(keyOf(params))
    if (result === undefined) throw missing(params)
    if (hasErrors(result)) reply.code(409)
    else request.audited = changesOf(result)
    return result
  })
}

function hasErrors({ problems }: ApplyResult): boolean {
  return problems.some(({ severity }) => severity === 'error')
}

function changesOf({ documents }: ApplyResult): AuditedChange[] {
  return documents
    .filter(({ action }) => action !== 'unchanged')
    .map(({ kind, namespace, name, action }) => ({ object: documentId(kind, namespace, name), action }))
}

/** "-" stands for the empty namespace of kinds that have none. */
function keyOf(params: DocumentKey): DocumentKey {
  return { ...params, namespace: params.namespace === '-' ? '' : params.namespace }
}

function keyFilter(query: Partial<DocumentKey>): Partial<DocumentKey> {
  return {
    ...(query.kind === undefined ? {} : { kind: query.kind }),
    ...(query.namespace === undefined ? {} : { namespace: query.namespace }),
    ...(query.name === undefined ? {} : { name: query.name }),
  }
}

function missing(key: DocumentKey): ApiFailure {
  return new ApiFailure(404, {
    code: 'not-found',
    message: `no ${key.kind} ${key.namespace === '-' ? '' : `${key.namespace}/`}${key.name}`,
    hint: `heddle get ${key.kind} lists those there are`,
  })
}
