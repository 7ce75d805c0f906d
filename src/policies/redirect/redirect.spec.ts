// Answers with a redirect (Gateway API HTTPRequestRedirectFilter). Absent parts keep the request's own.
import type { PathModifierSpec } from '../rewrite/rewrite.spec.ts'

export interface RedirectSpec {
  readonly scheme?: 'http' | 'https'
  readonly hostname?: string
  readonly path?: PathModifierSpec
  readonly port?: number
  readonly statusCode: 301 | 302 | 303 | 307 | 308
}
