// A scenario played on a mesh: what callers, proxies and instances do on a virtual clock, and what was measured of it.
import type { Locality } from '../../contracts/locality.ts'
import type { ModelDocument } from '../../control/model/document.ts'
import type { ServiceTime } from '../../control/model/scenario-kind.ts'
import type { MeshSnapshot } from '../../control/snapshot/mesh-snapshot.ts'
import { WatchableValue } from '../../core/watchable.ts'
import { durationMs } from '../../policies/scalars.schema.ts'
import type { ClusterConfig, RuntimeConfig } from '../../proxy/runtime/runtime-config.ts'
import { ApplicationInstance, type InstanceDeps, type InstanceModel } from './application-instance.ts'
import { AvailabilityWatch } from './availability-watch.ts'
import { Measurements } from './measurements.ts'
import { OnwardCalls, type OnwardTarget } from './onward-calls.ts'
import { scheduleEvents, type Fault } from './scenario-events.ts'
import { namedRandom, serviceTimeDraw, type Draw } from './service-time.ts'
import { SimulatedCallers } from './simulated-callers.ts'
import { SimulatedMesh, sidecarPort } from './simulated-mesh.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedProxy } from './simulated-proxy.ts'
import { SimulatedSidecar, type SidecarOptions } from './simulated-sidecar.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface SimulationResult {
  readonly measurements: Measurements
  /** By workload of the scenario, those that served at the end and before. */
  readonly instances: readonly ApplicationInstance[]
  readonly faults: readonly Fault[]
  readonly availability: AvailabilityWatch
  readonly proxies: number
  /** What applications asked of services. */
  readonly calls: readonly OnwardTarget[]
}

export interface SimulationOptions {
  readonly scenario: ModelDocument<'Scenario'>
  readonly snapshot: MeshSnapshot
  readonly seed: number
  /** Called now and then. */
  progressed?(elapsedMs: number): void
}

/** After the last request what is under way may end. */
const graceMs = 10_000

export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options)
  return simulation.run()
}

class Simulation {
  readonly #options: SimulationOptions
  readonly #clock = new VirtualClock()
  readonly #mesh: SimulatedMesh
  readonly #measurements: Measurements
  readonly #instanceDeps: InstanceDeps
  readonly #network: SimulatedNetwork
  readonly #byAddress = new Map<string, ApplicationInstance>()
  /** By workload, those that serve. */
  readonly #serving = new Map<string, ApplicationInstance[]>()
  /** By workload, where its sidecars have something to do. */
  readonly #inbound = new Map<string, Pick<SidecarOptions, 'inbound' | 'limitShare'>>()
  /** By workload, what its instances call. */
  readonly #onward = new Map<string, readonly OnwardTarget[]>()
  readonly #runtimes: WatchableValue<RuntimeConfig>[] = []
  readonly #proxies: SimulatedProxy[] = []
  readonly #callers: SimulatedCallers[] = []
  readonly #availability = new AvailabilityWatch()

  constructor(options: SimulationOptions) {
    this.#options = options
    const { scenario, snapshot } = options
    const { duration, warmUp, network } = scenario.spec
    this.#measurements = new Measurements(this.#clock, durationMs(duration), durationMs(warmUp))
    this.#instanceDeps = { clock: this.#clock, random: namedRandom(options.seed, 'instances') }
    this.#mesh = new SimulatedMesh(snapshot, scenario)
    this.#network = {
      clock: this.#clock,
      servers: this.#byAddress,
      sameZoneMs: durationMs(network.sameZone),
      otherZoneMs: durationMs(network.otherZone),
      sent: () => this.#measurements.attempted(),
    }
    this.#findCalls()
    this.#makeInstances()
    this.#makeClients()
  }

  async run(): Promise<SimulationResult> {
    const { spec } = this.#options.scenario
    const endMs = durationMs(spec.duration)
    const faults = scheduleEvents(
      {
        clock: this.#clock,
        instancesOf: (workload) => this.#serving.get(workload) ?? [],
        callersOf: (workload) => this.#callers.filter(({ model }) => model.workload === workload),
        successorOf: ({ model }) => this.#makeInstance(this.#mesh.newHost(), model),
        replace: (instance, successor) => this.#replace(instance, successor),
      },
      spec.events,
    )
    this.#clock.setTimer(durationMs(spec.warmUp), () => {
      for (const instance of this.#byAddress.values()) instance.received = 0
      for (const { counts } of this.#calls) Object.assign(counts, { calls: 0, failed: 0, attempts: 0 })
    })
    for (const callers of this.#callers) callers.start()
    await this.#clock.run(endMs + graceMs, () => this.#options.progressed?.(Math.min(endMs, this.#clock.elapsedMs)))
    return {
      measurements: this.#measurements,
      instances: [...this.#byAddress.values()],
      faults,
      availability: this.#availability,
      proxies: this.#proxies.length,
      calls: this.#calls,
    }
  }

  get #calls(): OnwardTarget[] {
    return [...this.#onward.values()].flat()
  }

  #findCalls(): void {
    for (const { workload, calls } of this.#options.scenario.spec.applications) {
      const targets = calls.map(({ service, port, getPercent, timeout }): OnwardTarget => {
        const { config, listener } = this.#mesh.clientConfig({ workload, service, port })
        const runtime = new WatchableValue(config)
        this.#runtimes.push(runtime)
        return {
          workload,
          service,
          authority: `${service}:${port}`,
          getPercent,
          timeoutMs: timeout === undefined ? Infinity : durationMs(timeout),
          runtime,
          listener,
          counts: { calls: 0, failed: 0, attempts: 0 },
        }
      })
      if (targets.length > 0) this.#onward.set(workload, targets)
    }
  }

  #makeInstances(): void {
    const { scenario } = this.#options
    for (const application of scenario.spec.applications) {
      const { workload, serviceTime, concurrency, queue } = application
      const serviceMs = drawOf(serviceTime)
      const placed = this.#mesh.instances.get(`${scenario.namespace}/${workload}`) ?? []
      const [first] = placed
      const inbound = first && this.#mesh.inboundConfig(first)
      if (inbound !== undefined) this.#inbound.set(workload, { inbound, limitShare: 1 / placed.length })
      this.#serving.set(
        workload,
        placed.map(({ host, zone }) => this.#makeInstance(host, { workload, zone, serviceMs, concurrency, queue })),
      )
    }
  }

  #makeInstance(host: string, model: InstanceModel): ApplicationInstance {
    const address = `${host}:${sidecarPort}`
    const instance = new ApplicationInstance(this.#instanceDeps, address, model)
    const inbound = this.#inbound.get(model.workload)
    if (inbound !== undefined) {
      const random = namedRandom(this.#options.seed, `sidecar ${address}`)
      const spiffeId = this.#spiffeIdOf(model.workload)
      instance.sidecar = new SimulatedSidecar({ ...inbound, clock: this.#clock, random, spiffeId, instance })
    }
    const targets = this.#onward.get(model.workload)
    if (targets !== undefined)
      instance.onward = new OnwardCalls({
        clock: this.#clock,
        random: namedRandom(this.#options.seed, `calls ${address}`),
        network: this.#network,
        locality: this.#localityOf(model.workload, model.zone),
        spiffeId: this.#spiffeIdOf(model.workload),
        targets,
      })
    this.#byAddress.set(address, instance)
    return instance
  }

  #localityOf(workload: string, zone: string | undefined): Locality | undefined {
    const { scenario, snapshot } = this.#options
    const own = snapshot.workloads.get(`${scenario.namespace}/${workload}`)?.locality
    return zone === undefined ? own : { region: own?.region ?? '', zone, subZone: own?.subZone ?? '' }
  }

  #spiffeIdOf(workload: string): string {
    const { snapshot, scenario } = this.#options
    const { serviceAccount = workload } = snapshot.workloads.get(`${scenario.namespace}/${workload}`) ?? {}
    return `spiffe://${snapshot.settings.trustDomain}/ns/${scenario.namespace}/sa/${serviceAccount}`
  }

  #makeClients(): void {
    const { scenario, seed } = this.#options
    for (const [index, client] of scenario.spec.clients.entries()) {
      const { config, listener } = this.#mesh.clientConfig(client)
      const runtime = new WatchableValue(config)
      this.#runtimes.push(runtime)
      const proxies = Array.from({ length: client.proxies }, (_, copy) => {
        const zone = client.zones[copy % client.zones.length]
        const number = this.#proxies.length
        const proxy = new SimulatedProxy({
          network: this.#network,
          random: namedRandom(seed, `proxy ${index} ${copy}`),
          locality: this.#localityOf(client.workload, zone),
          runtime,
          listener,
          spiffeId: this.#spiffeIdOf(client.workload),
          finished: (exchange) => this.#measurements.exchanged(exchange),
          availabilityChanged: (cluster) =>
            this.#availability.look(this.#clock.elapsedMs, number, this.#proxies, cluster),
        })
        this.#proxies.push(proxy)
        return proxy
      })
      const random = namedRandom(seed, `callers ${index}`)
      const deps = { clock: this.#clock, random, measurements: this.#measurements, proxies }
      const { workload, service, port, rate, callers, pause, getPercent, timeout } = client
      this.#callers.push(
        new SimulatedCallers(deps, {
          workload,
          authority: `${service}:${port}`,
          ...(rate === undefined ? {} : { rate }),
          ...(callers === undefined ? {} : { callers }),
          pauseMs: durationMs(pause),
          getPercent,
          timeoutMs: timeout === undefined ? Infinity : durationMs(timeout),
          untilMs: durationMs(scenario.spec.duration),
        }),
      )
    }
  }

  #replace(instance: ApplicationInstance, successor: ApplicationInstance): void {
    const { workload } = instance.model
    const serving = this.#serving.get(workload) ?? []
    this.#serving.set(
      workload,
      serving.map((one) => (one === instance ? successor : one)),
    )
    const [host] = successor.address.split(':', 1) as [string]
    for (const runtime of this.#runtimes) {
      const config = runtime.value
      const clusters = new Map([...config.clusters].map(([name, one]) => [name, moved(one, instance.address, host)]))
      runtime.set({ ...config, revision: String(Number(config.revision) + 1), clusters })
    }
  }
}

function moved(cluster: ClusterConfig, from: string, host: string): ClusterConfig {
  const index = cluster.endpoints.findIndex((one) => `${one.host}:${one.port}` === from)
  if (index === -1) return cluster
  return { ...cluster, endpoints: cluster.endpoints.map((one, i) => (i === index ? { ...one, host } : one)) }
}

function drawOf(time: ServiceTime): Draw {
  return serviceTimeDraw(
    time.distribution === 'LogNormal'
      ? { distribution: time.distribution, medianMs: durationMs(time.median), p99Ms: durationMs(time.p99) }
      : { distribution: time.distribution, meanMs: durationMs(time.mean) },
  )
}
