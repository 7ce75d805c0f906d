// Sessions that the client carries: which endpoint, since when, and when last. They name endpoints by hash: nobody outside learns their addresses.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { Clock } from '../../core/clock.ts'
import { cookieOf } from '../load-balancing/hash-policy.runtime.ts'
import { hashText } from '../load-balancing/key-hash.runtime.ts'
import type { SessionPersistenceSpec } from './session-persistence.spec.ts'

export interface Session {
  /** `sessionKey` of the cluster and of the endpoint's address. */
  readonly cluster: string
  readonly endpoint: string
  readonly beganSeconds: number
  readonly usedSeconds: number
}

export interface SessionKeeper {
  /** Undefined: there is none, or it is over. */
  find(request: RequestHead, clock: Clock): Session | undefined
  /** Has the client carry on: marks the response of the endpoint that has answered. Both by `sessionKey`. */
  keep(response: ResponseHead, session: Session | undefined, cluster: string, endpoint: string, clock: Clock): void
}

const format = /^([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-z]{1,9})-([0-9a-z]{1,9})$/

export function sessionKey(text: string): string {
  return [11, 12].map((seed) => hashText(text, seed).toString(16).padStart(8, '0')).join('')
}

export function compileSessionPersistence(spec: SessionPersistenceSpec): SessionKeeper {
  const { carrier, name, absoluteTimeoutMs = Infinity, idleTimeoutMs = Infinity, permanent } = spec
  return {
    find({ headers }, clock) {
      const text = carrier === 'header' ? headers.get(name) : cookieOf(headers.get('cookie'), name)
      const parts = text === undefined ? null : format.exec(text)
      if (parts === null) return undefined
      const [, cluster = '', endpoint = '', began = '', used = ''] = parts
      const beganSeconds = Number.parseInt(began, 36)
      const usedSeconds = Number.parseInt(used, 36)
      const nowMs = clock.nowMs()
      if (nowMs - beganSeconds * 1_000 >= absoluteTimeoutMs || nowMs - usedSeconds * 1_000 >= idleTimeoutMs)
        return undefined
      return { cluster, endpoint, beganSeconds, usedSeconds }
    },
    keep({ headers }, session, cluster, endpoint, clock) {
      const nowSeconds = Math.floor(clock.nowMs() / 1_000)
      const same = session?.cluster === cluster && session.endpoint === endpoint
      const known = same && (idleTimeoutMs === Infinity || session.usedSeconds === nowSeconds)
      if (known && carrier === 'cookie') return
      const beganSeconds = same ? session.beganSeconds : nowSeconds
      const text = `${cluster}-${endpoint}-${beganSeconds.toString(36)}-${nowSeconds.toString(36)}`
      if (carrier === 'header') {
        headers.set(name, text)
        return
      }
      const leftSeconds = beganSeconds + Math.ceil(absoluteTimeoutMs / 1_000) - nowSeconds
      headers.add(
        'set-cookie',
        `${name}=${text}${permanent === true ? `; Max-Age=${leftSeconds}` : ''}; Path=/; HttpOnly`,
      )
    },
  }
}
