// One route of the read API: what may be asked, and what the answer looks like.
import type { z } from 'zod'

export interface ReadRoute {
  readonly path: string
  readonly summary: string
  readonly query: z.ZodObject
  readonly answer: z.ZodType
  /** `query` as its schema made it. Undefined: there is no such thing. */
  readonly handle: (query: Readonly<Record<string, unknown>>, parameters: Readonly<Record<string, string>>) => unknown
}
