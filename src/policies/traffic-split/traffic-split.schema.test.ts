import { expect, it } from 'vitest'
import { z } from 'zod'

import { backendReferenceFields, checkBackendPort, weightSchema } from './traffic-split.schema.ts'

const schema = z.strictObject({ ...backendReferenceFields, weight: weightSchema }).check(checkBackendPort)

it('refers to a Service of the core group with weight 1 by default', () => {
  expect(schema.parse({ name: 'a', port: 80 })).toEqual({ group: '', kind: 'Service', name: 'a', port: 80, weight: 1 })
})

it('needs a port for a Service, and for nothing else', () => {
  expect(schema.safeParse({ name: 'a' }).success).toBe(false)
  expect(schema.safeParse({ group: 'heddle.dev', kind: 'ExternalService', name: 'a' }).success).toBe(true)
})

it.each([-1, 1.5, 1_000_001])('refuses the weight %d', (weight) => {
  expect(schema.safeParse({ name: 'a', port: 80, weight }).success).toBe(false)
})
