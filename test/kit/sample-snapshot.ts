// A small mesh as a snapshot, for tests of what is built from one.
import type { MeshService, MeshSnapshot, MeshWorkload } from '../../src/control/snapshot/mesh-snapshot.ts'
import { noSecurity } from '../../src/control/snapshot/security.ts'

export function sampleWorkload(name: string, changes: Partial<MeshWorkload> = {}): MeshWorkload {
  return {
    namespace: 'default',
    name,
    serviceAccount: name,
    labels: { app: name },
    address: '127.0.0.1',
    ports: [{ name: 'http', port: 9080, protocol: 'http' }],
    weight: 1,
    env: {},
    uses: [],
    security: noSecurity,
    source: { document: `Workload/default/${name}`, file: '/mesh/mesh.yaml', line: 1, column: 1 },
    ...changes,
  }
}

export function sampleService(name: string, changes: Partial<MeshService> = {}): MeshService {
  const namespace = changes.namespace ?? 'default'
  return {
    host: `${name}.${namespace}.svc.cluster.local`,
    namespace,
    name,
    external: false,
    ports: [
      {
        name: 'http',
        port: 80,
        protocol: 'http',
        endpoints: [],
        routes: [],
        consumerRoutes: new Map(),
        streams: [],
        consumerStreams: new Map(),
      },
    ],
    source: { document: `Service/${namespace}/${name}` },
    ...changes,
  }
}

export function sampleSnapshot(
  workloads: readonly MeshWorkload[],
  services: readonly MeshService[] = [],
  changes: Partial<MeshSnapshot> = {},
): MeshSnapshot {
  return {
    revision: '7',
    settings: {
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
    },
    workloads: new Map(workloads.map((workload) => [`${workload.namespace}/${workload.name}`, workload])),
    services: new Map(services.map((service) => [service.host, service])),
    gateways: new Map(),
    secrets: new Map(),
    experiments: new Map(),
    ...changes,
  }
}
