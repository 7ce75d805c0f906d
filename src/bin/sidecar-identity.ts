// Who a sidecar is: with a key of its own, or, in one of several workers, with the key that their parent keeps.
import { readFile } from 'node:fs/promises'

import type { ProxyBootstrap, SidecarBootstrap } from '../contracts/bootstrap.ts'
import { systemClock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import { createSystemRandom } from '../core/random.ts'
import { WatchableValue } from '../core/watchable.ts'
import { createCertificateClient } from '../proxy/identity/certificate-client.ts'
import { createIdentityAgent, type IdentityAgent } from '../proxy/identity/identity-agent.ts'
import type { TlsCredentials } from '../proxy/io/connection.ts'

export function ownIdentity(bootstrap: ProxyBootstrap, sidecar: SidecarBootstrap, logger: Logger): IdentityAgent {
  const { controlPlaneAddress: address, controlPlaneSpiffeId, trustBundleFile } = bootstrap
  return createIdentityAgent({
    spiffeId: sidecar.spiffeId,
    sign: createCertificateClient({ address, controlPlaneSpiffeId, trustBundleFile, clock: systemClock }),
    token: async () => (await readFile(sidecar.tokenFile, 'utf8')).trim(),
    clock: systemClock,
    random: createSystemRandom(),
    logger,
  })
}

export class GivenIdentity implements IdentityAgent {
  readonly credentials: WatchableValue<TlsCredentials | undefined> = new WatchableValue<TlsCredentials | undefined>(
    undefined,
  )
  notAfterMs: number | undefined
  readonly renewWithin: (withinMs: number) => void

  /** `renewWithin` tells the parent. */
  constructor(renewWithin: (withinMs: number) => void) {
    this.renewWithin = renewWithin
  }

  received(credentials: TlsCredentials | undefined, notAfterMs: number | undefined): void {
    this.notAfterMs = notAfterMs
    this.credentials.set(credentials)
  }

  start(): void {}

  stop(): void {}
}
