// The page's server over a big mesh that only its control plane's memory knows: 1,000 services in 20 namespaces, 5,000 busy edges.
import assert from 'node:assert/strict'
import { join } from 'node:path'

import { WorkloadStatuses } from '../../src/control/api/workload-statuses.ts'
import { KeptRequests } from '../../src/control/telemetry/kept-requests.ts'
import { MeshEndpoints } from '../../src/control/telemetry/mesh-endpoints.ts'
import { MeshEvents } from '../../src/control/telemetry/mesh-events.ts'
import { MeshTap } from '../../src/control/telemetry/mesh-tap.ts'
import { ObservedTraffic } from '../../src/control/telemetry/observed-traffic.ts'
import { PassedOverEndpoints } from '../../src/control/telemetry/passed-over.ts'
import { ProxyCertificates } from '../../src/control/telemetry/proxy-certificates.ts'
import { systemClock as clock, type Timer } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { readPageAssets } from '../../src/dashboard-api/page-assets.ts'
import { startPageServer } from '../../src/dashboard-api/page-server.ts'
import { compileCondition } from '../../src/insight/record-condition.ts'
import { apiAccess } from './api-access.ts'
import { runCommand } from './run-command.ts'
import { sampleService, sampleSnapshot, sampleWorkload } from './sample-snapshot.ts'

const root = join(import.meta.dirname, '../..')
export const services = 1_000
export const namespaces = 20
export const edges = 5_000

export interface BigMeshPage {
  /** With its token. */
  readonly url: string
  stop(): Promise<void>
}

export async function startBigMeshPage(): Promise<BigMeshPage> {
  await runCommand(join(root, 'tools/build-dashboard'), [])
  const assets = readPageAssets(join(root, 'build/dashboard'))
  assert.ok(assets, 'the page is built')
  const traffic = new ObservedTraffic({ clock })
  let timer: Timer | undefined
  const count = (): void => {
    for (let edge = 0; edge < edges; edge++) traffic.observed(seriesOf(edge), [0, 0, 5, 3, 1])
    timer = clock.setTimer(1_000, count)
  }
  count()
  const statuses = new WorkloadStatuses()
  const all = Array.from({ length: services }, (_, index) => index)
  statuses.replace(all.map((index) => ({ kind: 'sidecar', ...workloadOf(index), state: 'ready', restarts: 0 })))
  const [port] = sampleService('any').ports
  const snapshot = sampleSnapshot(
    all.map((index) => sampleWorkload(workloadOf(index).name, { namespace: workloadOf(index).namespace })),
    all.map((index) => {
      const { namespace, name } = workloadOf(index)
      const endpoint = { kind: 'workload', workload: `${namespace}/${name}`, port: 80, weight: 1 } as const
      return sampleService(`s-${index}`, {
        namespace,
        ports: port === undefined ? [] : [{ ...port, endpoints: [endpoint] }],
      })
    }),
  )
  const readApi = {
    clock,
    snapshot: () => snapshot,
    traffic,
    events: new MeshEvents(clock),
    statuses,
    proxies: () => [],
    proxyCertificates: new ProxyCertificates(),
    passedOver: new PassedOverEndpoints(),
    requests: new KeptRequests(),
    tap: new MeshTap({ clock, token: '', proxies: () => [] }),
    endpoints: new MeshEndpoints({ clock, token: '', proxies: () => [] }),
    compileCondition,
    authorityCertificates: () => [],
    problems: () => [],
    documents: () => [],
    revisions: () => Promise.resolve([]),
    documentsOf: () => Promise.resolve(undefined),
  }
  const deps = { assets, readApi, token: 'of-the-page', ...apiAccess({}), logger: silentLogger }
  const server = await startPageServer(deps, '127.0.0.1', 0)
  return {
    url: `${server.url}/#token=${deps.token}`,
    async stop() {
      timer?.cancel()
      await server.stop()
    },
  }
}

function workloadOf(index: number): { readonly namespace: string; readonly name: string } {
  return { namespace: `ns-${index % namespaces}`, name: `w-${index}` }
}

/** Each calls some of the sixty that follow. */
function seriesOf(edge: number) {
  const from = Math.floor((edge * services) / edges)
  const to = Math.min(services - 1, from + 1 + ((edge * 37) % 60))
  const [source, target] = [workloadOf(from), workloadOf(to)]
  return {
    reporter: 'source',
    source: `${source.namespace}/${source.name}`,
    sourcePrincipal: `spiffe://mesh.local/ns/${source.namespace}/sa/${source.name}`,
    service: `s-${to}.${target.namespace}.svc.cluster.local`,
    workload: `${target.namespace}/${target.name}`,
    route: 'any',
    protocol: 'http',
    mtls: true,
    code: edge % 97 === 0 ? '503' : '200',
    grpcStatus: '',
  } as const
}
