// ADS on the TLS port: a proxy is who its X.509-SVID says it is, and nobody else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import type { Client } from '@grpc/grpc-js'

import { controlPlaneSpiffeId } from '../../src/contracts/identity/control-plane-identity.ts'
import { typeUrls } from '../../src/contracts/xds/names.ts'
import type { RotatableAuthority } from '../../src/control/authority/authority.ts'
import { createControlPlaneServerCredentials } from '../../src/control/authority/server-credentials.ts'
import { identifyBySvid } from '../../src/control/xds-server/node-identity.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { openControlPlaneChannel } from '../../src/proxy/identity/control-plane-channel.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import { xdsChannelOptions } from '../../src/proxy/xds-client/xds-client.ts'
import { payment, startAgent, startIdentityPlane, temporaryStateDir, trustDomain, web } from '../kit/identity-plane.ts'
import { memoryView } from '../kit/memory-view.ts'
import { until } from '../kit/until.ts'
import { startXdsClient, startXdsServer } from '../kit/xds-pair.ts'
import type { RunningXdsServer } from '../kit/xds-pair.ts'

interface World {
  readonly authority: RotatableAuthority
  readonly server: RunningXdsServer
  open(credentials: TlsCredentials | undefined): (address: string) => Client
  credentialsOf(spiffeId: string): Promise<TlsCredentials>
}

async function startWorld(t: TestContext): Promise<World> {
  const plane = await startIdentityPlane({ stateDir: temporaryStateDir((undo) => t.after(undo)) })
  const { authority } = plane
  const tls = createControlPlaneServerCredentials({ authority, clock: systemClock, logger: silentLogger })
  const view = new WatchableValue(memoryView(1, { [typeUrls.listener]: { outbound: 'l1' } }))
  const identify = identifyBySvid(
    trustDomain,
    ({ name }) => ({ web: 'web', payment: 'payment' })[name],
    (spiffeId, notBeforeMs) => authority.revocations.refusesCertificate(spiffeId, notBeforeMs),
  )
  const server = await startXdsServer(view, identify, tls.credentials)
  t.after(async () => {
    server.kill()
    tls.stop()
    await plane.stop()
  })
  t.after(authority.revocations.list.subscribe(() => server.xds.identifyAgain()))
  return {
    authority,
    server,
    open: (credentials) => (address) =>
      openControlPlaneChannel({
        address,
        trustBundleFile: authority.trustBundleFile,
        controlPlaneSpiffeId: controlPlaneSpiffeId(trustDomain),
        credentials,
        channelOptions: xdsChannelOptions,
      }),
    async credentialsOf(spiffeId) {
      const token = await plane.tokens.create('default/any', spiffeId, 60_000)
      const { address } = plane
      const { trustBundleFile } = authority
      const agent = startAgent({
        address: () => address,
        trustBundleFile,
        token: () => Promise.resolve(token),
        spiffeId,
      })
      await until('a certificate', () => agent.credentials.value !== undefined)
      agent.stop()
      return agent.credentials.value as TlsCredentials
    },
  }
}

test('a proxy with the SVID of its service account gets its configuration', async (t) => {
  const world = await startWorld(t)
  const client = startXdsClient(() => world.server.address, 'web', world.open(await world.credentialsOf(web)))
  t.after(() => client.stop())
  await until('the listener', () => client.has(typeUrls.listener)['outbound'] === 'l1')
  assert.deepEqual(world.server.xds.nodes.value[0]?.node.name, 'web')
})

test('a proxy with the SVID of another, or with none, gets nothing and tries again', async (t) => {
  const world = await startWorld(t)
  for (const credentials of [await world.credentialsOf(payment), undefined]) {
    let attempts = 0
    const client = startXdsClient(
      () => world.server.address,
      'web',
      (address) => {
        attempts++
        return world.open(credentials)(address)
      },
    )
    await until('a second attempt', () => attempts > 1)
    client.stop()
    assert.equal(client.connected.value, false)
    assert.deepEqual(client.updates, [])
  }
  assert.deepEqual(world.server.xds.proxies(), [])
})

test('a proxy whose SVID is revoked loses its stream, and gets nothing until it shows a new one', async (t) => {
  const world = await startWorld(t)
  let credentials = await world.credentialsOf(web)
  let attempts = 0
  const open = (address: string): Client => {
    attempts++
    return world.open(credentials)(address)
  }
  const client = startXdsClient(() => world.server.address, 'web', open)
  const other = startXdsClient(() => world.server.address, 'payment', world.open(await world.credentialsOf(payment)))
  t.after(() => client.stop())
  t.after(() => other.stop())
  await until('both', () => world.server.xds.nodes.value.length === 2)
  world.authority.revoke(web, '')
  const names = (): string[] => world.server.xds.nodes.value.map(({ node }) => node.name)
  assert.deepEqual(names(), ['payment'])
  const before = attempts
  await until('two more attempts', () => attempts > before + 1)
  assert.deepEqual(names(), ['payment'])
  credentials = await world.credentialsOf(web)
  await until('it is back', () => names().length === 2)
})
