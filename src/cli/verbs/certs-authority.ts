// `heddle certs authority` and `heddle certs rotate`: the certificates that sign the others, and their replacement while everything runs.
import type { AuthorityStatus, RotationKind } from '../../contracts/control-api.ts'
import { sleep } from '../../core/clock.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge, formatTime } from '../format.ts'
import { type ControlPlaneClient, UnreachableError } from '../mesh/control-plane-client.ts'
import { connect } from '../mesh/running-mesh.ts'
import type { TableView } from '../output.ts'
import { Progress } from '../up/progress.ts'
import { revocationsTable } from './certs-revoke.ts'

const pollMs = 200
/** How long a control plane may be away, restarting, before the wait is given up. */
const awayMs = 30_000
const mostNamed = 3

export async function certsAuthority(context: CliContext, options: MeshOptions): Promise<ExitCode> {
  const client = connect(context, options)
  const status = await client.authority()
  client.close()
  await answer(context, options, status)
  return 0
}

export interface RotateOptions extends MeshOptions {
  readonly root: boolean
  readonly intermediate: boolean
  readonly jwt: boolean
}

/** Starts a rotation, or joins the one under way, and shows how it goes until it is done. It goes on without this command, too. */
export async function certsRotate(context: CliContext, options: RotateOptions): Promise<ExitCode> {
  if ([options.root, options.intermediate, options.jwt].filter(Boolean).length !== 1) {
    throw new CliError('say what to rotate: --root, --intermediate or --jwt', {
      hint: 'a new root comes with a new intermediate',
    })
  }
  if (options.jwt) return rotateJwtKey(context, options)
  const kind: RotationKind = options.root ? 'root' : 'intermediate'
  const client = connect(context, options)
  const progress = new Progress(context.host)
  const retrying = <T>(ask: () => Promise<T>): Promise<T> => whileRestarting(context, progress, ask)
  const before = await client.authority()
  if (before.rotation?.kind === kind) progress.say(`the ${kind} is being rotated already: waiting for that`)
  else await retrying(() => start(client, kind, before))
  const status = await finished(context, progress, () => retrying(() => client.authority()))
  client.close()
  progress.clear()
  await answer(context, options, status)
  return 0
}

/** Nobody needs to wait: it signs when everybody has had the time to learn of it. */
async function rotateJwtKey(context: CliContext, options: MeshOptions): Promise<ExitCode> {
  const client = connect(context, options)
  const status = await client.startRotation('jwt')
  client.close()
  await answer(context, options, status)
  return 0
}

/** Whatever became of an earlier attempt whose answer was lost. */
async function start(client: ControlPlaneClient, kind: RotationKind, before: AuthorityStatus): Promise<void> {
  const now = await client.authority()
  const begun = now.rotation?.kind === kind || signing(now, kind) !== signing(before, kind)
  if (!begun) await client.startRotation(kind)
}

function signing({ certificates }: AuthorityStatus, role: RotationKind): string | undefined {
  return certificates.find((one) => one.role === role && one.use === 'signing')?.serialNumber
}

async function finished(
  { host }: CliContext,
  progress: Progress,
  ask: () => Promise<AuthorityStatus>,
): Promise<AuthorityStatus> {
  for (;;) {
    const status = await ask()
    if (status.rotation === undefined) return status
    progress.show(describeRotation(status, host.clock.nowMs()))
    await sleep(host.clock, pollMs)
  }
}

/** A control plane that dies goes on where it was when it is back. */
async function whileRestarting<T>({ host }: CliContext, progress: Progress, ask: () => Promise<T>): Promise<T> {
  const untilMs = host.clock.monotonicMs() + awayMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof UnreachableError) || host.clock.monotonicMs() > untilMs) throw error
      progress.show('waiting for the control plane')
      await sleep(host.clock, pollMs)
    }
  }
}

const phaseTexts = {
  distribute: 'proxies learn to trust the new root',
  switch: 'proxies renew their certificates',
  retire: 'proxies forget the old root',
} as const

export function describeRotation({ rotation }: AuthorityStatus, nowMs: number): string {
  if (rotation === undefined) return ''
  const { kind, phase, waitingFor, phaseEndsByMs, heldUntilMs } = rotation
  const named = waitingFor.slice(0, mostNamed).join(', ')
  const more = waitingFor.length > mostNamed ? ` and ${waitingFor.length - mostNamed} more` : ''
  const longest = formatAge(Math.max(0, phaseEndsByMs - nowMs))
  const wait = waitingFor.length === 0 ? '' : `; waits for ${named}${more}, ${longest} at the longest`
  const held =
    heldUntilMs === undefined
      ? ''
      : `; other trust domains have ${formatAge(Math.max(0, heldUntilMs - nowMs))} to learn of it`
  return `rotating the ${kind}, ${phase}: ${phaseTexts[phase]}${wait}${held}`
}

async function answer(context: CliContext, options: MeshOptions, status: AuthorityStatus): Promise<void> {
  const nowMs = context.host.clock.nowMs()
  await context.output.answer(options.output, status, () => authorityTable(status, nowMs))
  if (options.output !== 'table') return
  if (status.rotation !== undefined) context.output.line(describeRotation(status, nowMs))
  if (status.revocations.length > 0) {
    context.output.line()
    context.output.table(revocationsTable(status.revocations, nowMs))
  }
}

export function authorityTable({ certificates, jwtKeys }: AuthorityStatus, nowMs: number): TableView {
  const signers = certificates.map(({ role, use, serialNumber, notAfterMs }) => {
    return { what: role, use, name: serialNumber, untilMs: notAfterMs }
  })
  const keys = jwtKeys.map(({ kid, use, untilMs }) => ({ what: 'key of tokens', use, name: kid, untilMs }))
  return {
    columns: [
      { header: 'AUTHORITY' },
      { header: 'USE' },
      { header: 'SERIAL' },
      { header: 'NOT AFTER' },
      { header: 'REMAINING', align: 'right' },
    ],
    rows: [...signers, ...keys].map(({ what, use, name, untilMs }) => [
      what,
      use,
      name,
      formatTime(untilMs),
      untilMs > nowMs ? formatAge(untilMs - nowMs) : 'expired',
    ]),
    empty: 'no certificates',
  }
}
