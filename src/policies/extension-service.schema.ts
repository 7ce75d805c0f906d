// A server beside the mesh as MeshConfig.extensionProviders names it, whatever it is asked.
import { z } from 'zod'

import { durationMs, durationSchema, portSchema } from './scalars.schema.ts'

export interface ExtensionService {
  /** "ext-authz.default.svc.cluster.local", with "namespace/" in front where the name alone does not say which. */
  readonly service: string
  readonly port: number
  readonly timeout: string
}

const serviceName = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

interface ExtensionServiceFields {
  readonly service: z.ZodType<string>
  readonly port: z.ZodType<number>
  readonly timeout: z.ZodType<string>
}

export function extensionServiceFields(defaultTimeout: string): ExtensionServiceFields {
  return {
    service: z.string().max(316).regex(serviceName, 'a service such as "auth.default.svc.cluster.local"'),
    port: portSchema,
    timeout: durationSchema
      .refine((timeout) => durationMs(timeout) > 0, '"timeout" must be more than 0')
      .default(defaultTimeout),
  }
}
