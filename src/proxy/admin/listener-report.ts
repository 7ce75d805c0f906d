// Whether each configured listener accepts connections, for /listeners.
import { errorMessage } from '../../core/errors.ts'
import type { ListeningState } from '../listener/listener-set.ts'
import type { RuntimeConfig } from '../runtime/runtime-config.ts'

export interface ListenerReport {
  readonly name: string
  /** "127.0.0.1:8080". */
  readonly address: string
  readonly state: 'listening' | 'opening' | 'failed'
  /** Why it failed; it is tried again. */
  readonly error?: string
}

export function describeListeners(
  config: RuntimeConfig,
  listening: ReadonlyMap<string, ListeningState>,
): ListenerReport[] {
  return [...config.listeners.values()].map(({ name, host, port }) => {
    const state = listening.get(name)
    const address = `${host}:${port}`
    if (state === undefined) return { name, address, state: 'opening' }
    if (state === 'listening') return { name, address, state }
    return { name, address, state: 'failed', error: errorMessage(state) }
  })
}
