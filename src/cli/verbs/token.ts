// `heddle token`: bearer tokens of the control-plane API for others than the administrator: make one, see whose there are, take one back.
import type { ApiRole } from '../../contracts/control-api.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatTime } from '../format.ts'
import { connect } from '../mesh/running-mesh.ts'

/** Prints the token, which cannot be seen again. */
export async function createToken(
  context: CliContext,
  name: string,
  options: MeshOptions & { readonly role: ApiRole },
): Promise<ExitCode> {
  const client = connect(context, options)
  const created = await client.createToken(name, options.role).finally(() => client.close())
  if (options.output === 'table') {
    context.output.line(created.token)
    context.output.note(`token "${name}" is a ${options.role}'s; it cannot be shown again`)
  } else await context.output.structured(options.output, created)
  return 0
}

export async function listTokens(context: CliContext, options: MeshOptions): Promise<ExitCode> {
  const client = connect(context, options)
  const tokens = await client.tokens().finally(() => client.close())
  await context.output.answer(options.output, tokens, () => ({
    columns: [{ header: 'NAME' }, { header: 'ROLE' }, { header: 'CREATED' }],
    rows: tokens.map(({ name, role, createdAtMs }) => [name, role, formatTime(createdAtMs)]),
    empty: 'no tokens beside that of the mesh',
  }))
  return 0
}

export async function deleteToken(
  context: CliContext,
  name: string,
  options: Omit<MeshOptions, 'output'>,
): Promise<ExitCode> {
  const client = connect(context, options)
  await client.deleteToken(name).finally(() => client.close())
  context.output.line(`token "${name}" deleted`)
  return 0
}
