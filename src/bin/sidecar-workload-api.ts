// The Workload API beside a sidecar: opened once the sidecar is ready and before anybody is told so, since its application is started then.
import type { ProxyBootstrap, SidecarBootstrap } from '../contracts/bootstrap.ts'
import { systemClock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { createSystemRandom } from '../core/random.ts'
import type { IdentityAgent } from '../proxy/identity/identity-agent.ts'
import type { WorkloadApi } from '../proxy/workload-api/workload-api.ts'

export class SidecarWorkloadApi {
  #api: Promise<WorkloadApi | undefined> = Promise.resolve(undefined)
  #stopped = false

  /** Resolves with or without: a sidecar whose socket cannot be had carries traffic all the same. */
  async open(
    bootstrap: ProxyBootstrap,
    sidecar: SidecarBootstrap,
    identity: IdentityAgent,
    logger: Logger,
  ): Promise<void> {
    const { workloadApiSocket: socketFile, spiffeId } = sidecar
    if (socketFile === undefined || this.#stopped) return
    const start = async (): Promise<WorkloadApi | undefined> => {
      try {
        // late: gateways, and proxies without a socket, do not need it
        const { startWorkloadApi } = await import('../proxy/workload-api/workload-api.ts')
        return await startWorkloadApi({
          socketFile,
          spiffeId,
          credentials: identity.credentials,
          controlPlane: {
            address: bootstrap.controlPlaneAddress,
            controlPlaneSpiffeId: bootstrap.controlPlaneSpiffeId,
            trustBundleFile: bootstrap.trustBundleFile,
          },
          clock: systemClock,
          random: createSystemRandom(),
          logger: logger.child({ for: 'application' }),
        })
      } catch (error) {
        logger.error('the Workload API cannot be opened: the application gets no identity of its own', {
          socket: socketFile,
          error: errorMessage(error),
        })
        return undefined
      }
    }
    this.#api = start()
    await this.#api
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const api = await this.#api
    api?.stop()
  }
}
