// A MeshSnapshot in a few lines, and the ports that go with it. Everything that a test does not name has an ordinary value.
import type { SourceLocation } from '../../src/contracts/decision-record.ts'
import { hostPort, serviceHost } from '../../src/contracts/xds/names.ts'
import type {
  MeshBackend,
  MeshEndpoint,
  MeshGateway,
  MeshListener,
  MeshRoute,
  MeshRouteAction,
  MeshService,
  MeshServicePort,
  MeshSettings,
  MeshSnapshot,
  MeshWorkload,
} from '../../src/control/snapshot/mesh-snapshot.ts'
import type { PortAllocation } from '../../src/control/snapshot/port-allocation.ts'
import { MeshSecret } from '../../src/control/snapshot/secrets.ts'
import type { SecretContent } from '../../src/control/snapshot/secrets.ts'
import { noSecurity } from '../../src/control/snapshot/security.ts'
import type { AppliedPolicy, AuthorizationPolicySpec } from '../../src/policies/authorization/authorization.spec.ts'
import type { RouteMatchSpec } from '../../src/policies/route-match/route-match.spec.ts'

type ForwardAction = Extract<MeshRouteAction, { kind: 'forward' }>

export interface ServiceOptions {
  readonly port?: number
  readonly protocol?: MeshServicePort['protocol']
  /** Names of workloads in its namespace; each serves on the port of its own that comes first. */
  readonly workloads?: readonly string[]
  readonly endpoints?: readonly MeshEndpoint[]
  readonly routes?: readonly MeshRoute[]
  readonly consumerRoutes?: Readonly<Record<string, readonly MeshRoute[]>>
  readonly servicePort?: Partial<MeshServicePort>
}

/** HTTP without TLS unless said otherwise. */
type ListenerOptions = Pick<MeshListener, 'name' | 'port'> & Partial<MeshListener>

export class MeshBuilder {
  #settings: MeshSettings = {
    trustDomain: 'mesh.local',
    trustDomainAliases: [],
    authorizationDefault: 'ALLOW',
    authorizationServers: new Map(),
    rateLimitServers: new Map(),
    peerAuthentication: 'STRICT',
    outboundTrafficPolicy: 'allowAny',
    svidLifetimeMs: 3_600_000,
    h2UpgradePolicy: 'UPGRADE',
    accessLog: { enabled: true, samplePercent: 1 },
    paths: { normalize: true, mergeSlashes: false, escapedSlashes: 'keep' },
    forwardedHeaders: {
      gateway: { appendForwardedFor: true, forwardedHeader: false, via: undefined, trustedHops: 0 },
      sidecar: { appendForwardedFor: false, forwardedHeader: false, via: undefined, trustedHops: 0 },
    },
  }
  readonly #workloads = new Map<string, MeshWorkload>()
  readonly #services = new Map<string, MeshService>()
  readonly #gateways = new Map<string, MeshGateway>()
  readonly #secrets = new Map<string, MeshSecret>()

  settings(changes: Partial<MeshSettings>): this {
    this.#settings = { ...this.#settings, ...changes }
    return this
  }

  /** Serves on port 9080 of an address of its own. */
  workload(namespace: string, name: string, changes: Partial<MeshWorkload> = {}): this {
    this.#workloads.set(`${namespace}/${name}`, {
      namespace,
      name,
      serviceAccount: name,
      labels: {},
      address: `127.1.0.${this.#workloads.size + 1}`,
      ports: [{ name: 'http', port: 9080, protocol: 'http' }],
      weight: 1,
      env: {},
      uses: [],
      security: noSecurity,
      source: source(`Workload/${namespace}/${name}`),
      ...changes,
    })
    return this
  }

  /** One port, 80 unless said otherwise. Workloads must be there before. */
  service(namespace: string, name: string, options: ServiceOptions = {}): this {
    const { port = 80, protocol = 'http', workloads = [name], routes = [], consumerRoutes = {} } = options
    const ofWorkloads = workloads.map((workload): MeshEndpoint => {
      const key = `${namespace}/${workload}`
      return { kind: 'workload', workload: key, port: this.#workloads.get(key)?.ports[0]?.port ?? 9080, weight: 1 }
    })
    const servicePort: MeshServicePort = {
      name: 'http',
      port,
      protocol,
      endpoints: options.endpoints ?? ofWorkloads,
      routes,
      consumerRoutes: new Map(Object.entries(consumerRoutes)),
      streams: [],
      consumerStreams: new Map(),
      ...options.servicePort,
    }
    const host = serviceHost(name, namespace)
    const document = source(`Service/${namespace}/${name}`)
    this.#services.set(host, { host, namespace, name, external: false, ports: [servicePort], source: document })
    return this
  }

  external(
    host: string,
    port: number,
    endpoints: readonly MeshEndpoint[],
    changes: Partial<MeshServicePort> = {},
    authorization?: readonly AppliedPolicy[],
  ): this {
    const servicePort: MeshServicePort = {
      name: 'http',
      port,
      protocol: 'http',
      endpoints,
      routes: [],
      consumerRoutes: new Map(),
      streams: [],
      consumerStreams: new Map(),
      ...changes,
    }
    const document = source(`ExternalService/default/${host}`)
    this.#services.set(host, {
      host,
      namespace: 'default',
      name: host,
      external: true,
      ports: [servicePort],
      ...(authorization === undefined ? {} : { authorization }),
      source: document,
    })
    return this
  }

  gateway(namespace: string, name: string, listeners: readonly ListenerOptions[]): this {
    const document = source(`Gateway/${namespace}/${name}`)
    const whole = listeners.map((listener): MeshListener => ({
      protocol: 'HTTP',
      certificates: [],
      virtualHosts: [],
      streams: [],
      ...listener,
    }))
    const address = '127.0.0.1'
    this.#gateways.set(`${namespace}/${name}`, {
      namespace,
      name,
      address,
      listeners: whole,
      security: noSecurity,
      source: document,
    })
    return this
  }

  secret(name: string, content: SecretContent): this {
    this.#secrets.set(name, new MeshSecret(content))
    return this
  }

  build(revision = '1'): MeshSnapshot {
    return {
      revision,
      settings: this.#settings,
      workloads: new Map(this.#workloads),
      services: new Map(this.#services),
      gateways: new Map(this.#gateways),
      secrets: new Map(this.#secrets),
      experiments: new Map(),
    }
  }
}

export function source(document: string, line = 1): SourceLocation {
  return { document, file: 'mesh.yaml', line, column: 1 }
}

/** An AuthorizationPolicy of namespace default as it applies to something, with a rule on each line from the second on. */
export function appliedPolicy(name: string, spec: Partial<AuthorizationPolicySpec>): AppliedPolicy {
  const document = `AuthorizationPolicy/default/${name}`
  return {
    name: document,
    namespace: 'default',
    source: source(document),
    ruleSources: (spec.rules ?? []).map((_, rule) => ({ ...source(document, 2 + rule), rule: String(rule) })),
    spec: { action: 'ALLOW', dryRun: false, reauthorize: false, ...spec },
  }
}

export function match(changes: Partial<RouteMatchSpec> = {}): RouteMatchSpec {
  return { path: { kind: 'prefix', value: '/' }, headers: [], queryParams: [], ...changes }
}

/** A rule of HTTPRoute default/test. */
export function route(name: string, action: MeshRouteAction, changes: Partial<MeshRoute> = {}): MeshRoute {
  return { name, source: { ...source('HTTPRoute/default/test'), rule: name }, match: match(), action, ...changes }
}

/** To Services of namespace default on port 80, each "name" or "name=weight". */
export function forward(backends: readonly string[], changes: Partial<ForwardAction> = {}): ForwardAction {
  return {
    kind: 'forward',
    backends: backends.map((text): MeshBackend => {
      const [name = '', weight = '1'] = text.split('=')
      return { host: serviceHost(name, 'default'), port: 80, weight: Number(weight) }
    }),
    mirrors: [],
    timeouts: {},
    ...changes,
  }
}

/** Ports from 20000 upwards, in the order in which they are first asked for. */
export function sequentialPorts(): PortAllocation {
  const known = new Map<string, number>()
  return {
    address(proxy, purpose) {
      const key = `${proxy} ${purpose}`
      const port = known.get(key) ?? 20_000 + known.size
      known.set(key, port)
      return { host: '127.0.0.1', port }
    },
  }
}

/** Name of the route configuration and of the cluster of port 80 of a Service in namespace default. */
export function serviceName(name: string): string {
  return hostPort(serviceHost(name, 'default'), 80)
}
