// Stands in for `heddle control-plane` in tests of the supervisor: the real API over a desired state that the test writes to a file.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { ControlPlaneMessage } from '../../../src/contracts/bootstrap.ts'
import type { DesiredState } from '../../../src/contracts/desired-state.ts'
import type { MeshState } from '../../../src/contracts/mesh-state.ts'
import { readOrCreateAdminToken } from '../../../src/control/api/admin-token.ts'
import { startControlApi } from '../../../src/control/api/control-api.ts'
import { WorkloadStatuses } from '../../../src/control/api/workload-statuses.ts'
import { systemClock } from '../../../src/core/clock.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { WatchableValue } from '../../../src/core/watchable.ts'
import { apiAccess } from '../api-access.ts'

const [stateDir = '', desiredFile = ''] = process.argv.slice(2)
const read = (): DesiredState => JSON.parse(readFileSync(desiredFile, 'utf8')) as DesiredState
if (!existsSync(desiredFile)) {
  console.error(`HDL001: cannot read ${desiredFile}`)
  process.exit(2)
}
const desired = new WatchableValue(read())
setInterval(() => {
  const next = read()
  if (next.revision !== desired.value.revision) desired.set(next)
}, 20)

const workloadStatuses = new WorkloadStatuses()
const adminToken = readOrCreateAdminToken(stateDir)
const mesh = (): MeshState => ({
  adminUrl: url,
  adminToken,
  xdsAddress: '127.0.0.1:1',
  revision: desired.value.revision,
  gateways: [],
  workloads: desired.value.sidecars.map(({ namespace, name, spiffeId, adminAddress, metricsAddress }) => ({
    namespace,
    name,
    spiffeId,
    ready: workloadStatuses.isReady(`${namespace}/${name}`),
    outboundProxy: 'http://127.0.0.1:1',
    adminUrl: `http://${adminAddress}`,
    metricsUrl: `http://${metricsAddress}/metrics`,
    inbound: [],
    services: [],
  })),
})
const portFile = join(stateDir, 'stand-in-port')
const port = existsSync(portFile) ? Number(readFileSync(portFile, 'utf8')) : 0
let tokens = 0
const { url } = await startControlApi(
  {
    clock: systemClock,
    logger: silentLogger,
    ...apiAccess({ admin: adminToken }),
    revision: () => desired.value.revision,
    desired,
    mesh,
    problems: () => [],
    proxies: () => [],
    routesOf: () => undefined,
    documents: {
      list: () => [],
      apply: () => Promise.reject(new Error('none')),
      delete: () => Promise.resolve(undefined),
    },
    joinTokens: {
      create({ kind, namespace, name }) {
        const wanted = desired.value.sidecars.find(
          (one) => one.kind === kind && one.namespace === namespace && one.name === name,
        )
        if (wanted === undefined) return Promise.resolve(undefined)
        const { spiffeId } = wanted
        const token = `${process.pid}-${++tokens} ${spiffeId}`
        return Promise.resolve({ id: String(tokens), token, spiffeId, expiresAtMs: Date.now() + 60_000 })
      },
      list: () => Promise.resolve({ tokens: [], refusals: {} }),
      revoke: () => Promise.resolve(false),
    },
    workloadStatuses,
    registerReadApi: () => undefined,
    renderMetrics: () => 'heddle_revocations 0\n',
    authority: {
      status: () => ({ trustDomain: 'mesh.local', certificates: [], revocations: [], jwtKeys: [] }),
      bundle: () => ({ keys: [], spiffe_sequence: 1, spiffe_refresh_hint: 300 }),
      start: () => Promise.resolve(),
      revoke: () => {
        throw new Error('it is no identity')
      },
      rotateJwtKey: () => undefined,
    },
  },
  '127.0.0.1',
  port,
)
writeFileSync(portFile, new URL(url).port)
const message: ControlPlaneMessage = {
  type: 'ready',
  apiUrl: url,
  xdsTlsAddress: '127.0.0.1:1',
  spiffeId: 'spiffe://test/ns/heddle/sa/control-plane',
  trustBundleFile: join(stateDir, 'bundle.pem'),
}
process.send?.(message)
process.on('SIGTERM', () => process.exit(0))
