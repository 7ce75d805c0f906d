// The join tokens with which proxies first prove who they are: written where their bootstrap points, fresh at any time.
import { rmSync } from 'node:fs'
import { join } from 'node:path'

import type { JoinToken } from '../../contracts/control-api.ts'
import type { DesiredSidecar } from '../../contracts/desired-state.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import type { Clock, Timer } from '../../core/clock.ts'

const retryMs = 2000

export type TokenSource = (sidecar: DesiredSidecar) => Promise<Pick<JoinToken, 'token' | 'expiresAtMs'>>

export class JoinTokens {
  readonly #stateDir: string
  readonly #clock: Clock
  readonly #source: TokenSource
  readonly #renewals = new Map<string, Timer>()
  #stopped = false

  constructor(stateDir: string, clock: Clock, source: TokenSource) {
    this.#stateDir = stateDir
    this.#clock = clock
    this.#source = source
  }

  file({ kind, namespace, name }: DesiredSidecar): string {
    // "~" occurs in no name: a gateway never shares its file with a workload
    const own = kind === 'gateway' ? `gateway~${namespace}.${name}` : `${namespace}.${name}`
    return join(this.#stateDir, 'tokens', own)
  }

  /** Writes a new token now, and another at half of its life, and so on. Never rejects: it tries again. */
  async keepFresh(sidecar: DesiredSidecar): Promise<void> {
    const file = this.file(sidecar)
    this.#renewals.get(file)?.cancel()
    let inMs = retryMs
    try {
      const { token, expiresAtMs } = await this.#source(sidecar)
      if (this.#stopped) return
      writeFileAtomic(file, `${token}\n`)
      inMs = Math.max(retryMs, (expiresAtMs - this.#clock.nowMs()) / 2)
    } catch {
      // the control plane is away: it says so elsewhere
    }
    if (this.#stopped) return
    this.#renewals.get(file)?.cancel()
    this.#renewals.set(
      file,
      this.#clock.setTimer(inMs, () => void this.keepFresh(sidecar)),
    )
  }

  forget(sidecar: DesiredSidecar): void {
    const file = this.file(sidecar)
    this.#renewals.get(file)?.cancel()
    this.#renewals.delete(file)
    rmSync(file, { force: true })
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#renewals.values()) timer.cancel()
    rmSync(join(this.#stateDir, 'tokens'), { recursive: true, force: true })
  }
}
