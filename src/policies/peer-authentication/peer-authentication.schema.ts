// Peer authentication as written in MeshConfig and in PeerAuthentication documents, and what several say together.
import { z } from 'zod'

import { ruleIssue } from '../scalars.schema.ts'
import type {
  MutualTls,
  PeerAuthenticationDocumentSpec,
  PeerAuthenticationMode,
  PeerAuthenticationSpec,
} from './peer-authentication.spec.ts'

export const peerAuthenticationSchema: z.ZodType<PeerAuthenticationSpec> = z.strictObject({
  mode: z.enum(['STRICT', 'PERMISSIVE', 'DISABLE']).default('STRICT'),
})

const mutualTlsSchema: z.ZodType<MutualTls> = z.strictObject({
  mode: z.enum(['UNSET', 'STRICT', 'PERMISSIVE', 'DISABLE']).default('UNSET'),
})

const portNameSchema = z
  .string()
  .regex(/^[1-9][0-9]{0,4}$/, "a number of the workload's ports")
  .refine((port) => Number(port) <= 65_535, 'a port: 1 to 65535')

export const peerAuthenticationDocumentSchema: z.ZodType<PeerAuthenticationDocumentSpec> = z
  .strictObject({
    selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()).default({}) }).exactOptional(),
    mtls: mutualTlsSchema.default({ mode: 'UNSET' }),
    portLevelMtls: z.record(portNameSchema, mutualTlsSchema).default({}),
  })
  .check((ctx) => {
    if (Object.keys(ctx.value.portLevelMtls).length === 0 || selectsWorkloads(ctx.value)) return
    const message = '"portLevelMtls" needs a selector with matchLabels: ports are those of workloads'
    ctx.issues.push(ruleIssue(ctx.value.portLevelMtls, ['portLevelMtls'], message))
  })

/** Whether it is about some workloads of its namespace; else it is about all of them. */
export function selectsWorkloads({ selector }: Pick<PeerAuthenticationDocumentSpec, 'selector'>): boolean {
  return selector !== undefined && Object.keys(selector.matchLabels).length > 0
}

/** The mode that holds when `narrower` is said within a scope of that mode. */
export function narrowedMode(mode: PeerAuthenticationMode, narrower: MutualTls | undefined): PeerAuthenticationMode {
  return narrower === undefined || narrower.mode === 'UNSET' ? mode : narrower.mode
}

/** What one port of a workload demands: the workload's own document, else its namespace's, else the mesh. */
export function modeOfPort(
  mesh: PeerAuthenticationMode,
  namespace: PeerAuthenticationDocumentSpec | undefined,
  workload: PeerAuthenticationDocumentSpec | undefined,
  port: number,
): PeerAuthenticationMode {
  const ofWorkload = narrowedMode(narrowedMode(mesh, namespace?.mtls), workload?.mtls)
  return narrowedMode(ofWorkload, workload?.portLevelMtls[port])
}
