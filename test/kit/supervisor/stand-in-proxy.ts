// Stands in for `heddle proxy` in tests of the supervisor: each sidecar is ready as soon as its token can be read. Says what it does.
import { readFileSync } from 'node:fs'

import type {
  ProxyBootstrap,
  ProxyMessage,
  SidecarBootstrap,
  SupervisorMessage,
} from '../../../src/contracts/bootstrap.ts'
import { nodeId } from '../../../src/contracts/xds/names.ts'

const bootstrap = JSON.parse(readFileSync(process.argv.at(-1) ?? '', 'utf8')) as ProxyBootstrap
const running = new Set<string>()
const tell = (message: ProxyMessage): void => void process.send?.(message)

function follow(sidecars: readonly SidecarBootstrap[]): void {
  const wanted = new Map(sidecars.map((sidecar) => [nodeId(sidecar.kind, sidecar.namespace, sidecar.name), sidecar]))
  for (const id of running) {
    if (wanted.has(id)) continue
    running.delete(id)
    console.log(`stopped ${id}`)
    tell({ type: 'stopped', sidecar: id })
  }
  for (const [id, { tokenFile, spiffeId }] of wanted) {
    if (running.has(id)) continue
    if (!readFileSync(tokenFile, 'utf8').includes(spiffeId)) throw new Error('token of somebody else')
    running.add(id)
    console.log(`ready ${id}`)
    tell({ type: 'ready', sidecar: id })
  }
}

for (const name of ['http_proxy', 'HTTP_PROXY', 'NODE_USE_ENV_PROXY']) {
  if (process.env[name] !== undefined) throw new Error(`${name} is set`)
}
process.on('message', (message: SupervisorMessage) => {
  if (message.type === 'sidecars') return follow(message.sidecars)
  console.log('drained')
  process.exit(0)
})
process.on('disconnect', () => process.exit(0))
follow(bootstrap.sidecars)
