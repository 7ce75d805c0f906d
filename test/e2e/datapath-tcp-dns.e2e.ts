// Endpoints given by host name: resolved while in use, all addresses of the answer, connections to unchanged ones kept.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, it } from 'node:test'

import type { ResolvedHost } from '../../src/proxy/cluster/host-addresses.ts'
import { send } from '../kit/http-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

const servers: Server[] = []
const lines: TestLine[] = []

afterEach(async () => {
  await Promise.all(lines.splice(0).map(({ line }) => line.stop()))
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function listen(host: string, port: number): Promise<number> {
  const server = createServer((_, response) => void response.end(host))
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  servers.push(server)
  return (server.address() as AddressInfo).port
}

it('goes where the SRV records of a service say, to those of the first priority, by weight', async () => {
  const ports = [await listen('127.0.0.1', 0), await listen('127.0.0.2', 0), await listen('127.0.0.3', 0)]
  const [near, spare, last] = ports
  const answers: Record<string, readonly string[]> = {
    '_http._tcp.app.test': [`10 90 ${near} a.test`, `10 10 ${spare} b.test`, `20 1 ${last} 127.0.0.3`],
    'a.test': ['127.0.0.1'],
    'b.test': ['127.0.0.2'],
  }
  const listenerPort = await freePort()
  const test = await startLine(
    configOf({
      listeners: [listenerOn(listenerPort, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('outside')],
      clusters: [
        clusterOf('outside', [{ host: '_http._tcp.app.test', port: 80 }], {
          discovery: 'dns',
          loadBalancing: { kind: 'random' },
        }),
      ],
    }),
    { resolveHost: (host) => Promise.resolve({ addresses: answers[host] ?? [], ttlMs: 0 }) },
  )
  lines.push(test)
  const call = async (): Promise<string> =>
    (await send({ address: `127.0.0.1:${listenerPort}`, target: '/', headers: { host: 'a' } })).body
  assert.match(await call(), /^127.0.0.[12]$/)
  const addresses = (): string[] => (test.line.clusters().get('outside') ?? []).map(({ address }) => address)
  const wanted = [`127.0.0.1:${near}`, `127.0.0.2:${spare}`, `127.0.0.3:${last}`]
  while (addresses().toSorted().join(' ') !== wanted.toSorted().join(' ')) await call()
  const counts = new Map<string, number>()
  for (let i = 0; i < 200; i++) {
    const name = await call()
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  assert.deepEqual([...counts.keys()].toSorted(), ['127.0.0.1', '127.0.0.2'])
  assert.ok((counts.get('127.0.0.1') ?? 0) > 150, JSON.stringify([...counts]))
})

it('follows the addresses of a host, and keeps the connections to those that stay', async () => {
  const port = await listen('127.0.0.1', 0)
  for (const host of ['127.0.0.2', '127.0.0.3']) await listen(host, port)
  let answer: ResolvedHost | Error = { addresses: ['127.0.0.1', '127.0.0.2'], ttlMs: 0 }
  const listenerPort = await freePort()
  const test = await startLine(
    configOf({
      listeners: [listenerOn(listenerPort, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('outside')],
      clusters: [clusterOf('outside', [{ host: 'localhost', port }], { discovery: 'dns' })],
    }),
    { resolveHost: () => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)) },
  )
  lines.push(test)
  const addresses = (): string[] => (test.line.clusters().get('outside') ?? []).map(({ address }) => address)
  const call = async (): Promise<string> =>
    (await send({ address: `127.0.0.1:${listenerPort}`, target: '/', headers: { host: 'a' } })).body
  assert.deepEqual(addresses(), [`localhost:${port}`])
  assert.equal(await call(), '127.0.0.1')
  await until('it is resolved', () => addresses().length === 2)
  const seen = new Set<string>()
  for (let i = 0; i < 20; i++) seen.add(await call())
  assert.deepEqual(seen, new Set(['127.0.0.1', '127.0.0.2']))

  answer = { addresses: ['127.0.0.2', '127.0.0.3'], ttlMs: 0 }
  const opened = test.upstreamConnections()
  await until('it has moved', () => addresses().includes(`127.0.0.3:${port}`))
  seen.clear()
  for (let i = 0; i < 20; i++) seen.add(await call())
  assert.deepEqual(seen, new Set(['127.0.0.2', '127.0.0.3']))
  assert.equal(test.upstreamConnections(), opened + 1)

  answer = new Error('SERVFAIL')
  assert.ok(['127.0.0.2', '127.0.0.3'].includes(await call()))
})
