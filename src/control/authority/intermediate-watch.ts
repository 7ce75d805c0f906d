// Has the next intermediate at hand in time where it must be asked for: the authority itself never waits.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { AuthorityOptions, RotatableAuthority } from './authority.ts'
import { Intermediate } from './intermediate.ts'
import { readSigner } from './signer-files.ts'
import type { UpstreamSigner } from './upstream-signer.ts'
import { readUpstream } from './upstreams.ts'

/** Before `createAuthority`, where no intermediate is there to go on with. Rejects with the reason why there is none. */
export async function prepareFirstIntermediate(options: AuthorityOptions): Promise<void> {
  const { stateDir, trustDomain, clock, upstreamFiles } = options
  if (upstreamFiles === undefined) return
  const upstream = readUpstream(upstreamFiles, trustDomain, clock)
  const folder = join(stateDir, 'ca')
  const intermediate = new Intermediate(upstream, folder, clock)
  const present = readSigner(join(folder, 'intermediate.pem'))
  const isThere = present !== undefined && clock.nowMs() < present.certificate.validToDate.getTime()
  if (isThere || intermediate.canReplace) return
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  intermediate.keep(await intermediate.ask())
}

export interface IntermediateWatchOptions {
  readonly authority: RotatableAuthority
  /** An answer is in force. */
  readonly taken: () => void
  readonly clock: Clock
  readonly logger: Logger
}

const pollMs = 1_000
/** Whoever cannot be reached is left in peace; other files are tried at once. */
const retryMs = 600_000

/** Until the returned function is called. */
export function watchIntermediate({ authority, taken, clock, logger }: IntermediateWatchOptions): () => void {
  let asked: UpstreamSigner | undefined
  let retryAtMs = 0
  let failure = ''
  let isStopped = false
  const ask = async (): Promise<void> => {
    await attempt()
    if (!isStopped) timer = clock.setTimer(pollMs, check)
  }
  const attempt = async (): Promise<void> => {
    try {
      await authority.askForIntermediate()
      failure = ''
      logger.info('the certificate authority has given an intermediate')
      taken()
    } catch (error) {
      const reason = errorMessage(error)
      if (reason !== failure) logger.error('no new intermediate: the present one signs on', { reason })
      failure = reason
    }
  }
  const check = (): void => {
    const upstream = authority.asked
    const isDue = upstream !== undefined && (upstream !== asked || clock.nowMs() >= retryAtMs)
    if (!isDue) {
      timer = clock.setTimer(pollMs, check)
      return
    }
    asked = upstream
    retryAtMs = clock.nowMs() + retryMs
    void ask()
  }
  let timer: Timer = clock.setTimer(0, check)
  return () => {
    isStopped = true
    timer.cancel()
  }
}
