// An answer of the control-plane API that is not 2xx.
import type { ApiError } from '../../contracts/control-api.ts'

/** Thrown by route handlers: becomes an ApiError. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  readonly status: number
  readonly body: ApiError

  constructor(status: number, body: ApiError) {
    super(body.message)
    this.status = status
    this.body = body
  }
}
