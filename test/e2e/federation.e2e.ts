// Two real meshes of different trust domains: each trusts the other for its own identities, by file and by bundle endpoint, over root rotations,
// restarts and outages. The steps of docs/federation.md.
import assert from 'node:assert/strict'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect as tlsConnect, type TLSSocket } from 'node:tls'

import type { FederatedDomainStatus, TrustBundleDocument } from '../../src/contracts/control-api.ts'
import { certificatesFromPem } from '../../src/contracts/identity/pem.ts'
import { SpiffeWorkloadAPI } from '../../src/contracts/xds/gen/spiffe/workload_pb.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import { parseEcho } from '../kit/echo-mesh.ts'
import { freePorts } from '../kit/free-ports.ts'
import { sendThroughProxy } from '../kit/http-client.ts'
import { processTree } from '../kit/process-tree.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { issueSvid, type CertificateSigner } from '../kit/trust-domains.ts'
import { WorkloadApiClient } from '../kit/workload-api-client.ts'

const heddle = new URL('../../heddle', import.meta.url).pathname
const [shop, partner] = ['shop.example', 'partner.example']
const webId = `spiffe://${shop}/ns/default/sa/web`
const ratingsId = `spiffe://${partner}/ns/default/sa/ratings`

let [shopPort, partnerPort, echoPort]: number[] = []
const meshes: Record<string, RunningMesh> = {}
const files: Record<string, string> = {}
/** So that handshakes come all the time. */
let lifetime = '8s'

function settings(trustDomain: string, port: number | undefined, federatesWith: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec:
  trustDomain: ${trustDomain}
  certificates: { workloadLifetime: ${lifetime} }
  federation:
    bundleEndpoint: { port: ${port}, refreshHint: 5s }
    federatesWith: ${federatesWith}
`
}

const shopDocuments = (federatesWith: string, ratingsAddress = '127.0.0.1:9'): string => {
  const [address, port] = ratingsAddress.split(':')
  return `${settings(shop, shopPort, federatesWith)}
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: web }
spec: { serviceAccount: web }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: other }
spec: { serviceAccount: other }
---
apiVersion: heddle.dev/v1alpha1
kind: ExternalService
metadata: { name: ratings }
spec:
  hosts: [ratings.partner.example]
  ports: [{ name: http, port: 80, targetPort: ${port} }]
  resolution: static
  endpoints: [{ address: ${address} }]
  tls: { mode: ISTIO_MUTUAL, subjectAltNames: ['${ratingsId}'] }
---
apiVersion: heddle.dev/v1alpha1
kind: ExternalService
metadata: { name: misnamed }
spec:
  hosts: [misnamed.partner.example]
  ports: [{ name: http, port: 80, targetPort: ${port} }]
  resolution: static
  endpoints: [{ address: ${address} }]
  tls: { mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://${partner}/ns/default/sa/other'] }
`
}

const partnerDocuments = (federatesWith: string): string => `${settings(partner, partnerPort, federatesWith)}
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ratings, labels: { app: ratings } }
spec:
  serviceAccount: ratings
  ports: [{ name: http, port: ${echoPort} }]
  command: [node, ${JSON.stringify(join(import.meta.dirname, '../kit/echo-server.ts'))}]
  env: { ECHO_PORTS: '${echoPort}', POD_NAME: ratings, POD_NAMESPACE: default }
---
apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: ratings }
spec:
  rules: [{ from: [{ source: { principals: ['${shop}/ns/default/sa/web'] } }] }]
`

const byFile = (trustDomain: string): string =>
  `[{ trustDomain: ${trustDomain}, trustDomainBundleFile: ${trustDomain}.json }]`
const byEndpoint = (trustDomain: string, port: number | undefined): string =>
  `[{ trustDomain: ${trustDomain}, trustDomainBundleFile: ${trustDomain}.json, bundleEndpointURL: 'https://127.0.0.1:${port}/', bundleEndpointProfile: { type: https_spiffe, endpointSPIFFEID: 'spiffe://${trustDomain}/ns/heddle-system/sa/control-plane' } }]`

before(async () => {
  ;[shopPort, partnerPort, echoPort] = await freePorts(3)
  files[shop] = await meshFile(shopDocuments('[]'))
  files[partner] = await meshFile(partnerDocuments('[]'))
  meshes[shop] = await startMesh({ files: [files[shop]] })
  meshes[partner] = await startMesh({ files: [files[partner]], args: ['--workers', '2'] })
})

after(async () => {
  for (const mesh of Object.values(meshes)) assert.equal(await mesh.stop(), 0)
})

const meshOf = (domain: string): RunningMesh => meshes[domain] as RunningMesh
const write = (domain: string, text: string): Promise<void> => writeFile(files[domain] as string, text)
const ratingsAddress = (): string => meshOf(partner).workload('ratings').inbound[0]?.address as string

async function run(domain: string, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(heddle, [...args, '--state-dir', meshOf(domain).stateDir])
  assert.equal(exitCode, 0, stdout + stderr)
  return stdout
}

async function bundleOf(domain: string): Promise<TrustBundleDocument> {
  return JSON.parse(await run(domain, 'certs', 'bundle')) as TrustBundleDocument
}

async function federated(domain: string): Promise<FederatedDomainStatus> {
  const [status] = JSON.parse(await run(domain, 'certs', 'federation', '-o', 'json')) as FederatedDomainStatus[]
  assert.ok(status)
  return status
}

/** Gives `to` the bundle of `from`, in a file beside its documents. */
async function handOver(from: string, to: string, format = 'spiffe'): Promise<void> {
  await writeFile(
    join(dirname(files[to] as string), `${from}.json`),
    await run(from, 'certs', 'bundle', '--format', format),
  )
}

async function call(workload: string, host = 'ratings.partner.example'): Promise<{ status: number; body: string }> {
  return sendThroughProxy(meshOf(shop).workload(workload).outboundProxy, `http://${host}/`)
}

describe('two meshes that exchange files', () => {
  it('refuse each other until both have the other’s bundle', async () => {
    await write(shop, shopDocuments('[]', ratingsAddress()))
    await eventually(async () => assert.equal((await call('web')).status, 503), 10_000)
    await handOver(partner, shop)
    await write(shop, shopDocuments(byFile(partner), ratingsAddress()))
    await eventually(async () => assert.equal((await federated(shop)).roots, 1), 10_000)
    // one side does not do: ratings knows nobody of the shop yet
    await eventually(async () => assert.match((await call('web')).body, /reset|closed|certificate|unknown ca/i), 10_000)
    await handOver(shop, partner, 'pem')
    await write(partner, partnerDocuments(byFile(shop)))
    await eventually(async () => assert.equal((await call('web')).status, 200), 10_000)
  })

  it('decide by policies that name identities of the other', async () => {
    assert.equal(parseEcho((await call('web')).body).pod, 'ratings')
    assert.equal((await call('other')).status, 403)
    assert.equal((await call('web', 'misnamed.partner.example')).status, 503)
  })

  it('take nobody who is not signed by its own domain', async () => {
    const authority = signerOf(shop)
    assert.match(await answerTo(issueSvid(webId, authority)), /HTTP\/1\.1 200/)
    for (const id of [`spiffe://${partner}/ns/default/sa/web`, 'spiffe://third.example/ns/default/sa/web']) {
      assert.doesNotMatch(await answerTo(issueSvid(id, authority)), /HTTP/)
    }
    assert.doesNotMatch(await answerTo(issueSvid(webId, signerOf(partner))), /HTTP/)
  })

  it('pass a new file on, and keep the last good one when it turns bad', async () => {
    const file = join(dirname(files[shop] as string), `${partner}.json`)
    const good = readFileSync(file, 'utf8')
    await writeFile(file, '{"keys":[]}')
    await eventually(async () => assert.match((await federated(shop)).fault ?? '', /no root/), 10_000)
    const { stdout } = await runCommand(heddle, ['check', '--state-dir', meshOf(shop).stateDir])
    assert.match(stdout, /warning.*partner\.example has the last good one/)
    assert.equal((await call('web')).status, 200)
    await writeFile(file, good)
    await eventually(async () => assert.equal((await federated(shop)).fault, undefined), 10_000)
  })
})

describe('two meshes that ask each other’s bundle endpoint', () => {
  it('learn a new root while it is not in use yet, and no request fails', async () => {
    await handOver(shop, partner)
    await write(shop, shopDocuments(byEndpoint(partner, partnerPort), ratingsAddress()))
    await write(partner, partnerDocuments(byEndpoint(shop, shopPort)))
    for (const domain of [shop, partner]) {
      await eventually(async () => assert.match((await federated(domain)).source, /^https:/), 10_000)
    }
    await eventually(async () => assert.equal((await call('web')).status, 200), 10_000)
    const old = await bundleOf(partner)
    const ended = new AbortController()
    const failures: string[] = []
    let ok = 0
    const load = (async (): Promise<void> => {
      while (!ended.signal.aborted) {
        const { status, body } = await call('web')
        if (status === 200) ok++
        else failures.push(`${status} ${body}`)
      }
    })()
    await Promise.all([run(partner, 'certs', 'rotate', '--root'), run(shop, 'certs', 'rotate', '--root')])
    const fresh = await bundleOf(partner)
    assert.ok(fresh.spiffe_sequence > old.spiffe_sequence)
    await eventually(async () => {
      const { roots, sequence, fault } = await federated(shop)
      assert.deepEqual([roots, sequence, fault], [1, fresh.spiffe_sequence, undefined])
    }, 15_000)
    // longer than any certificate from before lives
    const untilMs = Date.now() + 9_000
    await eventually(() => assert.ok(Date.now() > untilMs), 15_000)
    ended.abort()
    await load
    assert.deepEqual(failures, [])
    assert.ok(ok > 100, `${ok} requests`)
  })

  it('go on with the last good bundle while the other is away, over a restart and new certificates', async () => {
    // the partner's own certificates must last for as long as it is away
    lifetime = '5m'
    await write(shop, shopDocuments(byEndpoint(partner, partnerPort), ratingsAddress()))
    await write(partner, partnerDocuments(byEndpoint(shop, shopPort)))
    for (const domain of [shop, partner]) {
      await eventually(async () => {
        const certificates = JSON.parse(await run(domain, 'certs', '-o', 'json')) as { readonly notAfterMs: number }[]
        for (const { notAfterMs } of certificates) assert.ok(notAfterMs > Date.now() + 60_000)
      }, 20_000)
    }
    const [away] = await controlPlanes(partner)
    process.kill(away as number, 'SIGSTOP')
    try {
      const [killed] = await controlPlanes(shop)
      process.kill(killed as number, 'SIGKILL')
      await eventually(async () => assert.notEqual((await controlPlanes(shop))[0] ?? killed, killed), 15_000)
      await eventually(async () => {
        const { roots, updatedAtMs } = await federated(shop)
        assert.deepEqual([roots, updatedAtMs], [1, undefined])
      }, 20_000)
      await run(shop, 'certs', 'rotate', '--intermediate')
      await eventually(async () => assert.equal((await call('web')).status, 200), 10_000)
    } finally {
      process.kill(away as number, 'SIGCONT')
    }
    await eventually(async () => assert.ok((await federated(shop)).updatedAtMs !== undefined), 90_000)
  })

  it('give applications all bundles, and verify tokens of the other', async () => {
    const { fetchX509SVID, fetchX509Bundles, fetchJWTSVID, fetchJWTBundles, validateJWTSVID } = SpiffeWorkloadAPI.method
    const [web, ratings] = [clientOf(shop, 'web'), clientOf(partner, 'ratings')]
    const both = [`spiffe://${partner}`, `spiffe://${shop}`]
    const x509 = web.follow(fetchX509Bundles, {})
    const svids = web.follow(fetchX509SVID, {})
    const jwt = web.follow(fetchJWTBundles, {})
    await eventually(() => {
      assert.deepEqual(Object.keys(x509.messages[0]?.bundles ?? {}).toSorted(), both)
      assert.deepEqual(Object.keys(svids.messages[0]?.federatedBundles ?? {}), [`spiffe://${partner}`])
      assert.deepEqual(Object.keys(jwt.messages[0]?.bundles ?? {}).toSorted(), both)
    }, 10_000)
    const { svids: tokens } = await ratings.call(fetchJWTSVID, { audience: ['shop'] })
    const svid = tokens[0]?.svid as string
    assert.equal((await web.call(validateJWTSVID, { audience: 'shop', svid })).spiffeId, ratingsId)
    for (const client of [web, ratings]) client.close()
  })

  it('forget a domain that is no longer named', async () => {
    const svid = issueSvid(webId, signerOf(shop))
    assert.match(await answerTo(svid), /HTTP\/1\.1 200/)
    await write(partner, partnerDocuments('[]'))
    await eventually(async () => assert.doesNotMatch(await answerTo(svid), /HTTP/), 20_000)
  })

  it('cut an identity of the other at once', async () => {
    const revoke = ['certs', 'revoke', webId, '--state-dir', meshOf(partner).stateDir]
    const { exitCode, stderr } = await runCommand(heddle, revoke)
    assert.equal(exitCode, 2)
    assert.match(stderr, /no workload of trust domain "partner.example", nor of one that is trusted/)

    await handOver(shop, partner)
    await write(partner, partnerDocuments(byFile(shop)))
    const svid = issueSvid(webId, signerOf(shop))
    await eventually(async () => assert.match(await answerTo(svid), /HTTP\/1\.1 200/), 20_000)
    const open = await openTo(svid)
    await run(partner, 'certs', 'revoke', webId)
    assert.doesNotMatch(await answerTo(svid), /HTTP/)
    await eventually(() => assert.ok(open.closed), 2_000)
    const signedAfter = (): TlsCredentials => issueSvid(webId, signerOf(shop), [], Date.now())
    await eventually(async () => assert.match(await answerTo(signedAfter()), /HTTP\/1\.1 200/), 5_000)
    assert.doesNotMatch(await answerTo(svid), /HTTP/)
  })
})

function clientOf(domain: string, workload: string): WorkloadApiClient {
  return new WorkloadApiClient(join(meshOf(domain).stateDir, 'workload-api', `default.${workload}.sock`))
}

/** What the mesh signs with. */
function signerOf(domain: string): CertificateSigner {
  const pem = readFileSync(join(meshOf(domain).stateDir, 'ca', 'intermediate.pem'), 'utf8')
  return { trustDomain: domain, privateKey: createPrivateKey(pem), der: certificatesFromPem(pem)[0] as Buffer }
}

/** A connection that has served a request and is kept. */
function openTo({ certificateChainPem: cert, privateKeyPem: key }: TlsCredentials): Promise<TLSSocket> {
  const [host, port] = ratingsAddress().split(':')
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ host: host ?? '', port: Number(port), cert, key, rejectUnauthorized: false })
    socket.on('error', () => {})
    socket.once('data', () => resolve(socket))
    socket.once('close', () => reject(new Error('ratings refused it')))
    socket.write(`GET / HTTP/1.1\r\nhost: ratings\r\n\r\n`)
  })
}

/** What ratings answers to whoever shows that certificate; the empty text when it ends the connection. */
function answerTo({ certificateChainPem: cert, privateKeyPem: key }: TlsCredentials): Promise<string> {
  assert.ok(new X509Certificate(cert))
  const [host, port] = ratingsAddress().split(':')
  return new Promise((resolve) => {
    let text = ''
    const socket = tlsConnect({ host: host ?? '', port: Number(port), cert, key, rejectUnauthorized: false })
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()))
    socket.on('close', () => resolve(text))
    socket.write(`GET / HTTP/1.1\r\nhost: ratings\r\nconnection: close\r\n\r\n`)
  })
}

async function controlPlanes(domain: string): Promise<number[]> {
  const tree = await processTree(meshOf(domain).pid)
  return tree.filter(({ command }) => command.includes('control-plane')).map(({ pid }) => pid)
}
