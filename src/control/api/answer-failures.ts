// What an API of ours says when something goes wrong: one form, whoever failed.
import type { FastifyError, FastifyInstance } from 'fastify'

import type { ApiError } from '../../contracts/control-api.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { ApiFailure } from './api-failure.ts'

export function answerFailures(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler(async (error: FastifyError | ApiFailure, request, reply): Promise<ApiError> => {
    if (error instanceof ApiFailure) {
      reply.code(error.status)
      return error.body
    }
    const status = error.statusCode ?? 500
    reply.code(status)
    if (status < 500) return { code: 'bad-request', message: error.message }
    logger.error('API request failed', { method: request.method, url: request.url, error: errorMessage(error) })
    return { code: 'internal', message: errorMessage(error), hint: "see the control plane's log" }
  })
  app.setNotFoundHandler((request) => {
    throw new ApiFailure(404, { code: 'not-found', message: `nothing at ${request.method} ${request.url}` })
  })
}
