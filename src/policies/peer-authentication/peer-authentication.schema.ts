// Peer authentication as written in MeshConfig.
import { z } from 'zod'

import type { PeerAuthenticationSpec } from './peer-authentication.spec.ts'

export const peerAuthenticationSchema: z.ZodType<PeerAuthenticationSpec> = z.strictObject({
  mode: z.enum(['STRICT', 'PERMISSIVE', 'DISABLE']).default('STRICT'),
})
