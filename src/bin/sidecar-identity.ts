// Who a sidecar is: with a key of its own, or, in one of several workers, with the key that their parent keeps.
import { readFile } from 'node:fs/promises'

import type { ProxyBootstrap, SidecarBootstrap } from '../contracts/bootstrap.ts'
import { nodeId } from '../contracts/xds/names.ts'
import { systemClock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import { createSystemRandom } from '../core/random.ts'
import { WatchableValue } from '../core/watchable.ts'
import { createCertificateClient } from '../proxy/identity/certificate-client.ts'
import { createIdentityAgent, type IdentityAgent, nothingRevoked } from '../proxy/identity/identity-agent.ts'
import type { TlsCredentials } from '../proxy/io/connection.ts'
import type { RevokedSvids } from '../proxy/io/revoked-peers.ts'
import { tell } from './parent-channel.ts'

export function ownIdentity(bootstrap: ProxyBootstrap, sidecar: SidecarBootstrap, logger: Logger): IdentityAgent {
  const { controlPlaneAddress: address, controlPlaneSpiffeId, trustBundleFile } = bootstrap
  return createIdentityAgent({
    spiffeId: sidecar.spiffeId,
    sign: createCertificateClient({ address, controlPlaneSpiffeId, trustBundleFile, clock: systemClock }),
    token: async () => (await readFile(sidecar.tokenFile, 'utf8')).trim(),
    tokenRefused: () => tell({ type: 'token-refused', sidecar: nodeId(sidecar.kind, sidecar.namespace, sidecar.name) }),
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
  readonly revoked: WatchableValue<RevokedSvids> = new WatchableValue(nothingRevoked)
  readonly renewWithin: (withinMs: number) => void

  /** `renewWithin` tells the parent. */
  constructor(renewWithin: (withinMs: number) => void) {
    this.renewWithin = renewWithin
  }

  received(credentials: TlsCredentials | undefined, notAfterMs: number | undefined, revoked: RevokedSvids): void {
    this.notAfterMs = notAfterMs
    if (revoked.version > this.revoked.value.version) this.revoke(revoked)
    this.credentials.set(credentials)
  }

  /** Workers are told by the control plane itself; their parent accepts no traffic. */
  revoke(revoked: RevokedSvids): void {
    this.revoked.set(revoked)
  }

  start(): void {}

  stop(): void {}
}
