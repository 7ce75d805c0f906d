// Make before break, as one pure function: what has been received and what is in force → what comes into force next.
// Nothing comes into force before what it refers to is here or is known not to exist; until then its old version stays, with all it uses.
import type { DecodedCluster } from './decode-cluster.ts'
import { absent } from './received-resources.ts'
import type { Known, ReceivedResources } from './received-resources.ts'
import { clusterNames, inlineClusterNames, routeConfigurationNames, secretNames } from './references.ts'
import type {
  ClusterConfig,
  EndpointConfig,
  ListenerConfig,
  RouteConfiguration,
  RuntimeConfig,
  SecretConfig,
} from './runtime-config.ts'

export interface Assembly {
  readonly config: RuntimeConfig
  /** Names of the listeners and route configurations whose newest version still waits for something. */
  readonly held: readonly string[]
}

/** What has not changed keeps its identity, each map and the whole configuration included. */
export function assemble(received: ReceivedResources, inForce: RuntimeConfig, revision: string): Assembly {
  const held: string[] = []
  const isSettled = (cluster: string): boolean => settledCluster(received, cluster) !== undefined

  const routeConfigurations = new Map<string, RouteConfiguration>()
  choose(received.routeConfigurations, inForce.routeConfigurations, routeConfigurations, held, (newest) =>
    clusterNames(newest).every(isSettled),
  )
  const listeners = new Map<string, ListenerConfig>()
  choose(received.listeners, inForce.listeners, listeners, held, (newest) => {
    const routesKnown = routeConfigurationNames(newest).every(
      (name) => routeConfigurations.has(name) || received.routeConfigurations.get(name) === absent,
    )
    const secretsKnown = secretNames(newest).every((name) => received.secrets.has(name))
    return routesKnown && secretsKnown && inlineClusterNames(newest).every(isSettled)
  })
  for (const [name, listener] of listeners) {
    if (listener === received.listeners.get(name)) continue
    for (const used of routeConfigurationNames(listener)) {
      keep(used, inForce.routeConfigurations, routeConfigurations)
    }
  }

  const clusters = new Map<string, ClusterConfig>()
  const use = (name: string, byOldVersion: boolean): void => {
    const cluster = settledCluster(received, name)
    if (cluster !== undefined && cluster !== absent) clusters.set(name, cluster)
    else if (cluster === undefined || byOldVersion) keep(name, inForce.clusters, clusters)
  }
  for (const [name, chosen] of routeConfigurations) {
    const old = chosen !== received.routeConfigurations.get(name)
    for (const cluster of clusterNames(chosen)) use(cluster, old)
  }
  for (const [name, chosen] of listeners) {
    const old = chosen !== received.listeners.get(name)
    for (const cluster of inlineClusterNames(chosen)) use(cluster, old)
  }

  const secrets = new Map<string, SecretConfig>()
  const useSecret = (name: string): void => {
    const secret = received.secrets.get(name)
    if (secret === undefined) keep(name, inForce.secrets, secrets)
    else if (secret !== absent) secrets.set(name, secret)
  }
  for (const listener of listeners.values()) secretNames(listener).forEach(useSecret)
  for (const { originateTls } of clusters.values())
    if (originateTls?.rootsSecret !== undefined) useSecret(originateTls.rootsSecret)

  const parts = {
    listeners: sameOr(listeners, inForce.listeners),
    routeConfigurations: sameOr(routeConfigurations, inForce.routeConfigurations),
    clusters: sameOr(clusters, inForce.clusters),
    secrets: sameOr(secrets, inForce.secrets),
  }
  const unchanged =
    revision === inForce.revision &&
    parts.listeners === inForce.listeners &&
    parts.routeConfigurations === inForce.routeConfigurations &&
    parts.clusters === inForce.clusters &&
    parts.secrets === inForce.secrets
  return { config: unchanged ? inForce : { revision, ...parts }, held }
}

/** Fills `chosen` with the newest versions that are ready and the old versions of those that are not. */
function choose<T>(
  newest: ReadonlyMap<string, Known<T>>,
  inForce: ReadonlyMap<string, T>,
  chosen: Map<string, T>,
  held: string[],
  isReady: (newest: T) => boolean,
): void {
  for (const [name, candidate] of newest) {
    if (candidate === absent) continue
    if (isReady(candidate)) {
      chosen.set(name, candidate)
    } else {
      held.push(name)
      keep(name, inForce, chosen)
    }
  }
}

function keep<T>(name: string, inForce: ReadonlyMap<string, T>, chosen: Map<string, T>): void {
  const old = inForce.get(name)
  if (old !== undefined && !chosen.has(name)) chosen.set(name, old)
}

/** Undefined: it, its endpoints or its roots are still to come. */
function settledCluster(received: ReceivedResources, name: string): Known<ClusterConfig> | undefined {
  const cluster = received.clusters.get(name)
  if (cluster === undefined || cluster === absent) return cluster
  const roots = cluster.config.originateTls?.rootsSecret
  if (roots !== undefined && !received.secrets.has(roots)) return undefined
  if (cluster.endpointsName === undefined) return cluster.config
  const endpoints = received.endpoints.get(cluster.endpointsName)
  if (endpoints === undefined) return undefined
  return withEndpoints(cluster, endpoints === absent ? noEndpoints : endpoints)
}

const noEndpoints: readonly EndpointConfig[] = []
const complete = new WeakMap<DecodedCluster, ClusterConfig>()

function withEndpoints(cluster: DecodedCluster, endpoints: readonly EndpointConfig[]): ClusterConfig {
  const known = complete.get(cluster)
  if (known?.endpoints === endpoints) return known
  const config = { ...cluster.config, endpoints }
  complete.set(cluster, config)
  return config
}

function sameOr<T>(now: ReadonlyMap<string, T>, before: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  const same = now.size === before.size && [...now].every(([name, value]) => before.get(name) === value)
  return same ? before : now
}
