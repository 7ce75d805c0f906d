// Recommendations, first version: the same three for everybody.
import { serve } from './serve.ts'

export interface Recommendations {
  readonly version: 'v1' | 'v2'
  readonly title: string
  readonly items: readonly { readonly sku: string; readonly reason?: string }[]
}

const popular: Recommendations = {
  version: 'v1',
  title: 'Popular this week',
  items: [{ sku: 'shuttle' }, { sku: 'linen' }, { sku: 'wool' }],
}

serve('recommendations-v1', 9004, { 'GET /recommendations': () => ({ body: popular }) })
