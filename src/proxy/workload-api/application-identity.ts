// The application's own X.509-SVID: the identity of its sidecar with a key of its own, asked for by the sidecar's certificate.
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { Random } from '../../core/random.ts'
import type { Watchable } from '../../core/watchable.ts'
import { createIdentityAgent, type IdentityAgent, type SignCertificate } from '../identity/identity-agent.ts'
import type { TlsCredentials } from '../io/connection.ts'

export interface ApplicationIdentityOptions {
  readonly spiffeId: string
  /** Of the sidecar. */
  readonly credentials: Watchable<TlsCredentials | undefined>
  readonly sign: SignCertificate
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

export interface ApplicationIdentity {
  /** Undefined until the first certificate has come, and once the last one has expired. Asked for from the first call on. */
  use(): Watchable<TlsCredentials | undefined>
  stop(): void
}

export function createApplicationIdentity(options: ApplicationIdentityOptions): ApplicationIdentity {
  const { credentials, sign } = options
  const agent: IdentityAgent = createIdentityAgent({
    ...options,
    sign: (csrDer, _, timeoutMs) => {
      const shown = credentials.value
      if (shown === undefined) throw new Error('the sidecar has no certificate itself at the moment')
      return sign(csrDer, { kind: 'svid', credentials: shown }, timeoutMs)
    },
    // the sidecar's certificate is the only proof: a join token serves one key, which is the sidecar's
    token: () => Promise.resolve(''),
  })
  let used = false
  // what the sidecar renews for, a new root among it, is a reason for the application's too
  const unsubscribe = credentials.subscribe(() => {
    if (used) agent.renewWithin(0)
  })
  return {
    use() {
      if (!used) agent.start()
      used = true
      return agent.credentials
    },
    stop() {
      unsubscribe()
      agent.stop()
    },
  }
}
