// `heddle token join`: the tokens with which proxies first prove who they are: make one, see which there are, take one back.
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatTime } from '../format.ts'
import { connect } from '../mesh/running-mesh.ts'

export interface CreateJoinTokenOptions extends MeshOptions {
  readonly gateway: boolean
  readonly uses: number
  readonly ttl: string
}

/** Prints the token, which cannot be seen again. `who`: name or namespace/name. */
export async function createJoinToken(
  context: CliContext,
  who: string,
  { gateway, uses, ttl, ...options }: CreateJoinTokenOptions,
): Promise<ExitCode> {
  const slash = who.indexOf('/')
  const namespace = slash < 0 ? 'default' : who.slice(0, slash)
  const request = { kind: gateway ? 'gateway' : 'sidecar', namespace, name: who.slice(slash + 1), uses, ttl } as const
  const client = connect(context, options)
  const created = await client.createJoinToken(request).finally(() => client.close())
  if (options.output === 'table') {
    const { id, token, spiffeId, expiresAtMs } = created
    context.output.line(token)
    const times = uses === 1 ? 'once' : `${uses} times`
    context.output.note(`join token ${id} serves ${spiffeId} ${times}, until ${formatTime(expiresAtMs)}`)
  } else await context.output.structured(options.output, created)
  return 0
}

export async function listJoinTokens(context: CliContext, options: MeshOptions): Promise<ExitCode> {
  const client = connect(context, options)
  const list = await client.joinTokens().finally(() => client.close())
  await context.output.answer(options.output, list, () => ({
    columns: ['ID', 'PROXY', 'SPIFFE ID', 'USED', 'EXPIRES'].map((header) => ({ header })),
    rows: list.tokens.map(({ id, proxy, spiffeId, used, uses, expiresAtMs }) => [
      id,
      proxy,
      spiffeId,
      `${used} of ${uses}`,
      formatTime(expiresAtMs),
    ]),
    empty: 'no join tokens',
  }))
  const refusals = Object.entries(list.refusals).map(([reason, count]) => `${reason} ${count}`)
  if (options.output === 'table' && refusals.length > 0)
    context.output.note(`refused since the control plane started: ${refusals.join(', ')}`)
  return 0
}

export async function deleteJoinToken(
  context: CliContext,
  id: string,
  options: { readonly stateDir: string },
): Promise<ExitCode> {
  const client = connect(context, options)
  await client.revokeJoinToken(id).finally(() => client.close())
  context.output.line(`join token ${id} revoked`)
  return 0
}
