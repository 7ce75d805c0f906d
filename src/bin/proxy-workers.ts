// `heddle proxy --workers N`: N processes share the ports of one proxy. This one accepts no traffic: it keeps the sockets and the identities,
// and answers for all. `--sandbox`: they run under Node's permission model; this one, which serves applications and starts processes, does not.
import { rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { ProxyOptions } from '../cli/roles.ts'
import { KeptSockets } from '../cli/up/kept-sockets.ts'
import type { ProxyBootstrap, SidecarBootstrap, SupervisorMessage } from '../contracts/bootstrap.ts'
import { nodeId } from '../contracts/xds/names.ts'
import { writeFileAtomic } from '../core/atomic-file.ts'
import { systemClock } from '../core/clock.ts'
import { MetricRegistry } from '../core/metrics/metric-registry.ts'
import { createPinoLogger } from '../core/pino-logger.ts'
import { createSystemRandom, randomToken } from '../core/random.ts'
import { permissionOptions, plainEnvironment } from '../core/runtime-permissions.ts'
import type { IdentityAgent } from '../proxy/identity/identity-agent.ts'
import type { ListeningHandle } from '../proxy/io/connection.ts'
import { ChannelSockets, type HandedSockets } from './handed-sockets.ts'
import { finalDrainMs, tell } from './parent-channel.ts'
import { ownIdentity } from './sidecar-identity.ts'
import { SidecarSet } from './sidecar-set.ts'
import { SidecarWorkloadApi } from './sidecar-workload-api.ts'
import { WorkerFront } from './worker-front.ts'
import { Worker } from './worker.ts'

interface SharedSidecar {
  readonly sidecar: SidecarBootstrap
  readonly identity: IdentityAgent
  readonly front: WorkerFront
  readonly workloadApi: SidecarWorkloadApi
  readonly ready: Promise<void>
  readonly markReady: () => void
  readonly stopped: PromiseWithResolvers<void>
  stopping: boolean
}

export async function runWorkers({ bootstrapFile, workers: count, sandbox, io }: ProxyOptions): Promise<void> {
  const bootstrap = JSON.parse(await readFile(bootstrapFile, 'utf8')) as ProxyBootstrap
  const logger = createPinoLogger({ name: 'proxy' })
  const channel = process.send === undefined ? undefined : new ChannelSockets(tell)
  const sockets = channel ?? ownSockets()
  const shared = new Map<string, SharedSidecar>()
  const workerFile = join(dirname(bootstrapFile), `workers.${process.pid}.json`)
  // the mesh's own would let whoever breaks into a worker do all that its API can
  const workerToken = randomToken()
  const told: ProxyBootstrap = { ...bootstrap, adminToken: workerToken, sidecars: [], worker: true, workers: count }
  writeFileAtomic(workerFile, `${JSON.stringify(told, null, 2)}\n`)

  const credentials = (key: string, { identity }: SharedSidecar): SupervisorMessage => ({
    type: 'credentials',
    sidecar: key,
    ...(identity.credentials.value === undefined ? {} : { credentials: identity.credentials.value }),
    revoked: identity.revoked.value,
    ...(identity.notAfterMs === undefined ? {} : { notAfterMs: identity.notAfterMs }),
  })
  /** Their own admin and metrics ports are anywhere: the proxy's are this process's. */
  const wanted = (): SupervisorMessage => ({
    type: 'sidecars',
    sidecars: [...shared.values()]
      .filter(({ stopping }) => !stopping)
      .map(({ sidecar }) => ({ ...sidecar, adminAddress: '127.0.0.1:0', metricsAddress: '127.0.0.1:0' })),
  })
  const changed = (): void => {
    for (const [key, one] of shared) {
      if (workers.every(({ ready }) => ready.has(key))) one.markReady()
      if (one.stopping && workers.every(({ running }) => !running.has(key))) one.stopped.resolve()
    }
  }
  const workers = Array.from({ length: count }, (_, share) => {
    const worker: Worker = new Worker(
      {
        command: [
          process.execPath,
          ...(sandbox ? permissionOptions([workerFile, bootstrap.trustBundleFile]) : []),
          ...process.execArgv,
          process.argv[1] as string,
          'proxy',
          '--io',
          io,
          '--bootstrap',
          workerFile,
        ],
        env: sandbox ? plainEnvironment() : process.env,
        sockets,
        clock: systemClock,
        random: createSystemRandom(),
        logger,
        greeting: () => [wanted(), ...[...shared].map(([key, one]) => credentials(key, one))],
        renew: (key, withinMs) => shared.get(key)?.identity.renewWithin(withinMs),
        changed,
      },
      share,
    )
    return worker
  })

  const start = (sidecar: SidecarBootstrap): SharedSidecar => {
    const key = nodeId(sidecar.kind, sidecar.namespace, sidecar.name)
    const own = logger.child({ sidecar: key })
    const ready = Promise.withResolvers<void>()
    const identity = ownIdentity(bootstrap, sidecar, own)
    const registry = new MetricRegistry(own)
    const workloadApi = new SidecarWorkloadApi({ bootstrap, sidecar, identity, registry, logger: own })
    const one: SharedSidecar = {
      sidecar,
      identity,
      workloadApi,
      front: new WorkerFront({
        sidecar,
        adminToken: bootstrap.adminToken,
        workerToken,
        sockets,
        logger: own,
        registry,
        workers: () => workers.flatMap(({ endpoints }) => endpoints.get(key) ?? []),
        isReady: () => workers.every((worker) => worker.ready.has(key)),
      }),
      ready: ready.promise.then(() => workloadApi.open()),
      markReady: ready.resolve,
      stopped: Promise.withResolvers(),
      stopping: false,
    }
    shared.set(key, one)
    for (const worker of workers) worker.tell(wanted())
    one.identity.credentials.subscribe(() => {
      for (const worker of workers) worker.tell(credentials(key, one))
    })
    one.identity.start()
    return one
  }
  const stop = async (one: SharedSidecar, key: string): Promise<void> => {
    one.front.stop()
    one.stopping = true
    for (const worker of workers) worker.tell(wanted())
    changed()
    await one.stopped.promise
    await one.workloadApi.stop()
    one.identity.stop()
    shared.delete(key)
  }
  const sidecars = new SidecarSet({
    start,
    update: ({ workloadApi }, sidecar) => workloadApi.update(sidecar),
    stop,
    ready: (key) => tell({ type: 'ready', sidecar: key }),
    stopped: (key) => tell({ type: 'stopped', sidecar: key }),
  })

  await new Promise<void>((resolve) => {
    let draining = false
    const drain = (withinMs: number): void => {
      if (!draining) for (const { front } of shared.values()) front.stop()
      draining = true
      const drained = workers.map((worker) => worker.drain(withinMs))
      void Promise.all(drained)
        .then(() => Promise.all([...shared.values()].map(({ workloadApi }) => workloadApi.stop())))
        .then(() => resolve())
    }
    process.on('message', (message: SupervisorMessage, handle: unknown) => {
      if (message.type === 'socket') channel?.received(message, handle as ListeningHandle | undefined)
      else if (message.type === 'drain') drain(message.deadlineMs)
      else if (message.type === 'sidecars' && !draining) sidecars.follow(message.sidecars)
    })
    process.on('disconnect', () => drain(finalDrainMs))
    process.on('SIGTERM', () => drain(finalDrainMs))
    process.on('SIGINT', () => drain(finalDrainMs))
    sidecars.follow(bootstrap.sidecars)
  })
  rmSync(workerFile, { force: true })
  process.exit(0)
}

/** Without a supervisor this process is the one that keeps them. */
function ownSockets(): HandedSockets {
  const kept = new KeptSockets()
  return {
    open: (address) => Promise.resolve(kept.open(process.pid, address) as ListeningHandle | undefined),
    close: (address) => kept.close(process.pid, address),
  }
}
