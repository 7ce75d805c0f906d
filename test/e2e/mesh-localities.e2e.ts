// Load balancing as documents say it, in a running mesh: by where workloads run, and by a key.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { after, before, describe, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

let mesh: RunningMesh
let file = ''
let ports: number[] = []
const places = { near: 'eu/a', other: 'eu/b', far: 'us/x' } as const
type Name = keyof typeof places
const names = Object.keys(places) as Name[]
const servers = new Map<Name, Server>()
/** Answers other than 200. */
const failures: string[] = []

function workload(name: string, place: string, port?: number): string {
  const [region, zone] = place.split('/')
  const app = port === undefined ? 'client' : 'app'
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${app} } }
spec:
  serviceAccount: ${app}
  locality: { region: ${region}, zone: ${zone} }
  ports: ${port === undefined ? '[]' : `[{ name: http, port: ${port} }]`}
`
}

const serve = async (name: Name): Promise<void> => {
  const server = createServer((_, response) => response.end(name))
  servers.set(name, server)
  await listenOn(ports[names.indexOf(name)] as number, server)
}

before(async () => {
  ports = await freePorts(3)
  for (const name of names) await serve(name)
  const documents = [
    workload('client', 'eu/a'),
    ...names.map((name, i) => workload(name, places[name], ports[i])),
    `
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }] }
`,
  ]
  file = await meshFile(documents.join('---'))
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers.values()) server.close()
})

async function ask(headers: Record<string, string> = {}): Promise<string> {
  const address = mesh.workload('client').services.find(({ name }) => name === 'app')?.address ?? ''
  const { status, body } = await send({ address, target: '/', headers: { host: 'app', ...headers } })
  if (status !== 200) failures.push(`${status}: ${body}`)
  return body
}

async function answers(count: number): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let i = 0; i < count; i++) seen.add(await ask())
  return seen
}

const change = async (edit: (text: string) => string): Promise<void> =>
  writeFile(file, edit(await readFile(file, 'utf8')))

describe('workloads in zones and regions', () => {
  it('are called by those of their zone', async () => {
    // once it is known which of them are ready
    await eventually(async () => assert.deepEqual(await answers(50), new Set(['near'])), 20_000)
    assert.deepEqual(await answers(50), new Set(['near']))
  })

  it('are called from the next zone, then from the next region, as they go; no request fails meanwhile', async () => {
    // Between its failure and its leaving the service, an endpoint that is ejected has some requests leave the region: the other one is taken for overrun.
    servers.get('near')?.close().closeAllConnections()
    await eventually(async () => assert.deepEqual(await answers(30), new Set(['other'])), 20_000)
    servers.get('other')?.close().closeAllConnections()
    await eventually(async () => assert.deepEqual(await answers(30), new Set(['far'])), 20_000)
    await serve('near')
    await serve('other')
    await eventually(async () => assert.deepEqual(await answers(10), new Set(['near'])), 20_000)
    assert.deepEqual(failures, [])
  })

  it('are called from where the caller has moved to', async () => {
    await change((text) => text.replace('locality: { region: eu, zone: a }', 'locality: { region: us, zone: x }'))
    await eventually(async () => assert.deepEqual(await answers(10), new Set(['far'])), 20_000)
  })
})

describe('places by weight', () => {
  it('are called as the policy says, wherever the caller is', async () => {
    const weights = '[{ region: eu, zone: a, weight: 0 }, { region: eu, weight: 50 }, { region: us, weight: 50 }]'
    const policy = `---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: weighted }
spec:
  targetRefs: [{ kind: Service, name: app }]
  loadBalancing: { locality: { mode: Weighted, weights: ${weights} } }
`
    await change((text) => `${text}${policy}`)
    await eventually(async () => assert.deepEqual(await answers(40), new Set(['far', 'other'])), 20_000)
    await change((text) => text.replace(policy, ''))
    await eventually(async () => assert.deepEqual(await answers(10), new Set(['far'])), 20_000)
  })
})

describe('a policy', () => {
  it('has requests of one user answered in one place, wherever the caller is', async () => {
    await change(
      (text) => `${text}---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: app }
spec:
  targetRefs: [{ kind: Service, name: app }]
  loadBalancing: { algorithm: Maglev, hash: { on: [{ type: Header, name: X-User }] } }
`,
    )
    const users = Array.from({ length: 30 }, (_, i) => ({ 'x-user': `user-${i}` }))
    const served = async (): Promise<string[]> => {
      const seen: string[] = []
      for (const user of users) seen.push(await ask(user))
      return seen
    }
    const first = await eventually(async () => {
      const seen = await served()
      assert.equal(new Set(seen).size, 3)
      assert.deepEqual(await served(), seen)
      return seen
    }, 20_000)
    await change((text) => text.replace('region: us, zone: x }\n  ports: []', 'region: eu, zone: a }\n  ports: []'))
    await eventually(async () => assert.deepEqual(await served(), first), 20_000)
  })
})
