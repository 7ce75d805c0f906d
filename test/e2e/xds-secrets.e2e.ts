// SDS over ADS: a data plane that is not Heddle's shows a certificate on the TLS port of a real mesh, and gets certificates of its own there, with
// which it calls a workload. It speaks gRPC and protobuf, and nothing of Heddle's.
import assert from 'node:assert/strict'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { ChannelCredentials, Client } from '@grpc/grpc-js'
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import { status } from '@grpc/grpc-js'

import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { ClusterSchema } from '../../src/contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { SecretSchema } from '../../src/contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type { Secret } from '../../src/contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '../../src/contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DiscoveryResponse } from '../../src/contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { SpiffeWorkloadAPI } from '../../src/contracts/xds/gen/spiffe/workload_pb.ts'
import { typeUrls } from '../../src/contracts/xds/names.ts'
import { markedMesh } from '../kit/marked-mesh.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { WorkloadApiClient } from '../kit/workload-api-client.ts'

const heddle = new URL('../../heddle', import.meta.url).pathname
const client = 'spiffe://mesh.local/ns/default/sa/client'
const settings = `
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec:
  certificates: {workloadLifetime: 8s}
`

let mesh: RunningMesh
const planes: DataPlane[] = []
before(async () => {
  mesh = await startMesh({ files: [await markedMesh({ documents: settings, replicas: 1 })] })
})
after(async () => {
  for (const plane of planes) plane.close()
  assert.equal(await mesh.stop(), 0)
})

interface Shown {
  readonly cert: string
  readonly key: string
}

const asIs = (bytes: Uint8Array): Buffer => Buffer.from(bytes)

/** State of the world, as the protocol says it. */
class DataPlane {
  readonly secrets = new Map<string, Secret>()
  readonly clusters: string[] = []
  /** Names of each answer of secrets. */
  readonly answers: string[][] = []
  error: ServiceError | undefined
  readonly #client: Client
  readonly #call: ClientDuplexStream<Uint8Array, Uint8Array>

  constructor(address: string, credentials: ChannelCredentials, node: { id: string; metadata?: object }) {
    this.#client = new Client(address, credentials, { 'grpc.ssl_target_name_override': 'control-plane' })
    const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources'
    this.#call = this.#client.makeBidiStreamRequest(path, asIs, (bytes: Buffer) => bytes)
    this.#call.on('error', (error: ServiceError) => (this.error = error))
    this.#call.on('data', (bytes: Buffer) => this.#received(fromBinary(DiscoveryResponseSchema, bytes)))
    planes.push(this)
    this.#node = { id: node.id, metadata: node.metadata ?? {} }
  }
  readonly #node: object

  subscribe(typeUrl: string, resourceNames: readonly string[], versionInfo = '', responseNonce = ''): void {
    const request = { node: this.#node, typeUrl, resourceNames: [...resourceNames], versionInfo, responseNonce }
    this.#call.write(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request)))
  }

  close(): void {
    this.#client.close()
  }

  #received({ typeUrl, resources, versionInfo, nonce }: DiscoveryResponse): void {
    if (typeUrl === typeUrls.secret) {
      const secrets = resources.map(({ value }) => fromBinary(SecretSchema, value))
      this.answers.push(secrets.map(({ name }) => name))
      for (const secret of secrets) this.secrets.set(secret.name, secret)
      this.subscribe(typeUrl, ['default', 'ROOTCA'], versionInfo, nonce)
    } else {
      for (const { value } of resources) {
        const { transportSocketMatches } = fromBinary(ClusterSchema, value)
        this.clusters.push(...transportSocketMatches.map(({ name }) => name))
      }
    }
  }

  /** The certificate that it was given. */
  shown(): Shown {
    const type = this.secrets.get('default')?.type
    assert.equal(type?.case, 'tlsCertificate')
    const [cert, key] = [type.value.certificateChain, type.value.privateKey].map(
      (one) => one?.specifier.value as string,
    )
    return { cert: cert as string, key: key as string }
  }

  roots(): string {
    const type = this.secrets.get('ROOTCA')?.type
    assert.equal(type?.case, 'validationContext')
    return type.value.trustedCa?.specifier.value as string
  }
}

/** As an application gets it: by the Workload API. */
async function firstCertificate(): Promise<Shown> {
  const api = new WorkloadApiClient(join(mesh.stateDir, 'workload-api', 'default.client.sock'))
  const stream = api.follow(SpiffeWorkloadAPI.method.fetchX509SVID, {})
  await eventually(() => assert.equal(stream.messages.length > 0, true), 10_000)
  const [svid] = stream.messages[0]?.svids ?? []
  api.close()
  assert.ok(svid)
  const key = createPrivateKey({ key: Buffer.from(svid.x509SvidKey), format: 'der', type: 'pkcs8' })
  return {
    cert: certificatesToPem(certificatesIn(svid.x509Svid)),
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** DER, one after the other. */
function certificatesIn(bytes: Uint8Array): Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at < bytes.length; at += found.at(-1)?.length ?? 0) {
    const rest = Buffer.from(bytes.subarray(at))
    found.push(rest.subarray(0, 4 + rest.readUInt16BE(2)))
  }
  return found
}

async function connect(
  shown: Shown | undefined,
  node: { id: string; metadata?: object } = { id: 'envoy-1' },
): Promise<DataPlane> {
  const roots = await readFile(join(mesh.stateDir, 'ca', 'trust-bundle.pem'))
  const [key, cert] = [shown?.key, shown?.cert].map((pem) => (pem === undefined ? null : Buffer.from(pem)))
  const credentials = ChannelCredentials.createSsl(roots, key, cert, { checkServerIdentity: () => undefined })
  return new DataPlane(mesh.state.xdsTlsAddress as string, credentials, node)
}

describe('a data plane that is not Heddle’s', () => {
  it('gets a certificate of the identity that it shows, and calls a workload with it', async () => {
    const plane = await connect(await firstCertificate())
    plane.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
    await eventually(() => assert.equal(plane.secrets.size, 2), 10_000)
    const { cert, key } = plane.shown()
    const leaf = new X509Certificate(cert)
    assert.equal(leaf.subjectAltName, `URI:${client}`)
    assert.ok(leaf.checkPrivateKey(createPrivateKey(key)))
    const folder = await mkdtemp(join(tmpdir(), 'heddle-sds-'))
    try {
      for (const [name, text] of Object.entries({ cert, key, roots: plane.roots() }))
        await writeFile(join(folder, name), text)
      const [host, port] = (mesh.workload('echo-1').inbound[0]?.address ?? '').split(':') as [string, string]
      const url = `https://echo.test:${port}/`
      const common = ['-sS', '--resolve', `echo.test:${port}:${host}`, '--cacert', join(folder, 'roots'), '-k']
      const mutual = ['--cert', join(folder, 'cert'), '--key', join(folder, 'key')]
      const { stdout, stderr } = await runCommand('curl', [...common, ...mutual, url])
      assert.match(stdout, /"pod":"echo-1"/, stderr)
      assert.doesNotMatch((await runCommand('curl', [...common, url])).stdout, /pod/)
      const verified = await runCommand(
        'sh',
        [
          '-c',
          `openssl s_client -connect ${host}:${port} -CAfile roots -cert cert -cert_chain cert -key key -verify_return_error </dev/null`,
        ],
        { cwd: folder },
      )
      assert.match(verified.stdout, /Verify return code: 0 \(ok\)/, verified.stderr)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('is told by its clusters to use both', async () => {
    const plane = await connect(await firstCertificate())
    plane.subscribe(typeUrls.cluster, ['echo.default.svc.cluster.local:80'])
    await eventually(() => assert.deepEqual(plane.clusters, ['heddle']), 10_000)
  })

  it('gets another certificate, with another key, before the first one is old, and nothing once what it showed has ended', async () => {
    const first = await firstCertificate()
    const plane = await connect(first)
    plane.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
    await eventually(() => assert.equal(plane.secrets.size, 2), 10_000)
    const { key } = plane.shown()
    await eventually(() => assert.notEqual(plane.shown().key, key), 6_000)
    assert.ok(new X509Certificate(plane.shown().cert).validToDate.getTime() > Date.now() + 5_000)
    await eventually(() => assert.equal(plane.error?.code, status.UNAUTHENTICATED), 12_000)
    assert.ok(Date.now() >= new X509Certificate(first.cert).validToDate.getTime())
    // with what it was given it may come again
    const again = await connect(plane.shown())
    again.subscribe(typeUrls.secret, ['default'])
    await eventually(() => assert.deepEqual(again.answers[0], ['default']), 10_000)
  })

  it('learns of a new root as it comes and of the old one as it goes', async () => {
    const plane = await connect(await firstCertificate())
    plane.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
    await eventually(() => assert.equal(plane.secrets.size, 2), 10_000)
    const old = plane.roots()
    const { exitCode, stderr } = await runCommand(heddle, ['certs', 'rotate', '--root', '--state-dir', mesh.stateDir])
    assert.equal(exitCode, 0, stderr)
    const fresh = await readFile(join(mesh.stateDir, 'ca', 'trust-bundle.pem'), 'utf8')
    assert.notEqual(fresh, old)
    const last = await connect(await firstCertificate())
    last.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
    await eventually(() => assert.equal(last.secrets.size, 2), 10_000)
    assert.equal(last.roots(), fresh)
    const [leaf, intermediate] = last
      .shown()
      .cert.split(/(?<=-----END CERTIFICATE-----\n)/)
      .map((one) => new X509Certificate(one))
    assert.ok(leaf?.verify((intermediate as X509Certificate).publicKey))
    assert.ok(intermediate?.verify(new X509Certificate(fresh).publicKey))
  })

  it('loses its stream when its identity is revoked, and gets no other key until it shows what it was given since', async () => {
    const first = await firstCertificate()
    const plane = await connect(first)
    plane.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
    await eventually(() => assert.equal(plane.secrets.size, 2), 10_000)
    const given = plane.shown()
    const answers = plane.answers.length
    const { exitCode, stderr } = await runCommand(heddle, ['certs', 'revoke', client, '--state-dir', mesh.stateDir])
    assert.equal(exitCode, 0, stderr)
    await eventually(() => assert.equal(plane.error?.code, status.PERMISSION_DENIED), 2_000)
    assert.match(plane.error?.details ?? '', /was revoked/)
    assert.equal(plane.answers.length, answers)
    for (const old of [first, given]) {
      const refused = await connect(old)
      refused.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
      await eventually(() => assert.equal(refused.error?.code, status.PERMISSION_DENIED), 5_000)
      assert.equal(refused.secrets.size, 0)
    }

    const anew = await eventually(async () => {
      const shown = await firstCertificate()
      assert.notEqual(shown.cert, first.cert)
      const again = await connect(shown)
      again.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
      await eventually(() => assert.equal(again.secrets.size, 2), 2_000)
      return again.shown()
    }, 10_000)
    assert.notEqual(anew.key, given.key)
    const last = await connect(anew)
    last.subscribe(typeUrls.secret, ['default'])
    await eventually(() => assert.deepEqual(last.answers[0], ['default']), 5_000)
  })

  it('gets nothing without a certificate', async () => {
    const plane = await connect(undefined)
    plane.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
    await eventually(() => assert.equal(plane.error?.code, status.PERMISSION_DENIED), 10_000)
    assert.equal(plane.secrets.size, 0)
  })

  it('gets neither on the port in plaintext', async () => {
    const plane = new DataPlane(mesh.state.xdsAddress, ChannelCredentials.createInsecure(), { id: 'envoy-1' })
    plane.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
    await eventually(() => assert.deepEqual(plane.answers[0], []), 10_000)
    plane.subscribe(typeUrls.cluster, ['echo.default.svc.cluster.local:80'])
    await eventually(() => assert.equal(plane.answers.length > 0 && plane.error === undefined, true), 10_000)
    assert.deepEqual(plane.clusters, [])
  })

  it('is no proxy of Heddle’s: those are given no key', async () => {
    const metadata = { KIND: 'sidecar', NAMESPACE: 'default', NAME: 'client' }
    const plane = await connect(await firstCertificate(), { id: 'sidecar~default~client', metadata })
    plane.subscribe(typeUrls.secret, ['default', 'ROOTCA'])
    await eventually(() => assert.deepEqual(plane.answers[0], []), 10_000)
  })
})
