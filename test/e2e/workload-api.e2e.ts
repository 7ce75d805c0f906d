// The SPIFFE Workload API of a real mesh, asked by a gRPC client on its socket as an application would.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { status } from '@grpc/grpc-js'
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'

import { elementsOf } from '../../src/contracts/identity/certificate-extensions.ts'
import { spiffeIdOf } from '../../src/contracts/identity/certificate-spiffe-id.ts'
import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { SpiffeWorkloadAPI } from '../../src/contracts/xds/gen/spiffe/workload_pb.ts'
import type { X509SVID } from '../../src/contracts/xds/gen/spiffe/workload_pb.ts'
import { markedMesh } from '../kit/marked-mesh.ts'
import { isRunning, processTree } from '../kit/process-tree.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { WorkloadApiClient } from '../kit/workload-api-client.ts'

const { fetchX509SVID, fetchX509Bundles, fetchJWTSVID, fetchJWTBundles, validateJWTSVID } = SpiffeWorkloadAPI.method
const settings = `
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec:
  certificates: {workloadLifetime: 6s}
`

for (const args of [[], ['--workers', '2']]) {
  describe(`the Workload API of a mesh with ${args.join(' ') || 'one process'}`, () => {
    let mesh: RunningMesh
    const clients: WorkloadApiClient[] = []
    before(async () => {
      mesh = await startMesh({ files: [await markedMesh({ documents: settings, replicas: 1 })], args })
    })
    after(async () => {
      for (const client of clients) client.close()
      assert.equal(await mesh.stop(), 0)
    })
    const socketOf = (workload: string): string => join(mesh.stateDir, 'workload-api', `default.${workload}.sock`)
    const connect = (workload: string, header?: string | null): WorkloadApiClient => {
      const client = new WorkloadApiClient(socketOf(workload), header)
      clients.push(client)
      return client
    }
    const svidOf = async (workload: string): Promise<X509SVID> => {
      const stream = connect(workload).follow(fetchX509SVID, {})
      return eventually(() => {
        assert.equal(stream.error, undefined)
        assert.equal(stream.messages.length, 1)
        stream.cancel()
        return stream.messages[0]?.svids[0] as X509SVID
      }, 5_000)
    }

    test('gives an application an SVID that verifies, with its key', async () => {
      const svid = await svidOf('echo-1')
      assert.equal(svid.spiffeId, 'spiffe://mesh.local/ns/default/sa/echo')
      const [leaf] = split(svid.x509Svid)
      assert.ok(leaf !== undefined)
      assert.equal(spiffeIdOf(new X509Certificate(leaf)), svid.spiffeId)
      const key = createPrivateKey({ key: Buffer.from(svid.x509SvidKey), format: 'der', type: 'pkcs8' })
      assert.ok(new X509Certificate(leaf).checkPrivateKey(key))
      assert.match(await opensslVerify(svid), /leaf\.pem: OK/)
    })

    test('gives each workload its own identity, and a key that is not its sidecar’s', async () => {
      const svid = await svidOf('client')
      assert.equal(svid.spiffeId, 'spiffe://mesh.local/ns/default/sa/client')
      const [leaf] = split(svid.x509Svid)
      assert.equal(spiffeIdOf(new X509Certificate(leaf as Buffer)), svid.spiffeId)
      const { adminUrl } = mesh.workload('client')
      const answer = await fetch(new URL('/certs', adminUrl), {
        headers: { authorization: `Bearer ${mesh.state.adminToken}` },
      })
      assert.equal(answer.status, 200, await answer.clone().text())
      assert.ok(!(await answer.text()).includes(new X509Certificate(leaf as Buffer).serialNumber))
    })

    test('sends a renewed SVID down the stream, with a fresh key', async () => {
      const stream = connect('echo-1').follow(fetchX509SVID, {})
      await eventually(() => assert.ok(stream.messages.length >= 3, `${stream.messages.length} answers`), 15_000)
      const svids = stream.messages.map(({ svids: [svid] }) => svid as X509SVID)
      assert.equal(new Set(svids.map(({ x509SvidKey }) => Buffer.from(x509SvidKey).toString('hex'))).size, svids.length)
      assert.match(await opensslVerify(svids.at(-1) as X509SVID), /leaf\.pem: OK/)
      stream.cancel()
    })

    test('sends the trust bundle under the name of the trust domain', async () => {
      const stream = connect('echo-1').follow(fetchX509Bundles, {})
      await eventually(() => assert.equal(stream.messages.length, 1), 5_000)
      const { bundles } = stream.messages[0] as { bundles: Record<string, Uint8Array> }
      assert.deepEqual(Object.keys(bundles), ['spiffe://mesh.local'])
      const file = await readFile(join(mesh.stateDir, 'ca', 'trust-bundle.pem'), 'utf8')
      assert.equal(certificatesToPem(split(bundles['spiffe://mesh.local'] as Uint8Array)), file)
      stream.cancel()
    })

    test('refuses calls without the header', async () => {
      for (const header of [null, 'false']) {
        const stream = connect('echo-1', header).follow(fetchX509SVID, {})
        await eventually(() => assert.equal(stream.error?.code, status.INVALID_ARGUMENT), 5_000)
        assert.match(stream.error?.details ?? '', /workload\.spiffe\.io: true/)
        assert.equal(stream.messages.length, 0)
      }
    })

    test('gives an application a token for an audience, which others verify', async () => {
      const {
        svids: [svid],
      } = await connect('echo-1').call(fetchJWTSVID, { audience: ['billing', 'reports'] })
      assert.equal(svid?.spiffeId, 'spiffe://mesh.local/ns/default/sa/echo')
      const bearer = connect('client')
      const validated = await bearer.call(validateJWTSVID, { audience: 'billing', svid: svid.svid })
      assert.equal(validated.spiffeId, svid.spiffeId)
      assert.deepEqual(validated.claims?.['aud'], ['billing', 'reports'])
      for (const request of [
        { audience: 'somebody-else', svid: svid.svid },
        { audience: 'billing', svid: `${svid.svid.slice(0, -4)}AAAA` },
      ]) {
        await assert.rejects(bearer.call(validateJWTSVID, request), { code: status.INVALID_ARGUMENT })
      }
      // as somebody without Heddle would
      const stream = bearer.follow(fetchJWTBundles, {})
      await eventually(() => assert.equal(stream.messages.length, 1), 5_000)
      const bundle = stream.messages[0]?.bundles['spiffe://mesh.local']
      const keys = createLocalJWKSet(JSON.parse(Buffer.from(bundle ?? []).toString()) as JSONWebKeySet)
      const { payload } = await jwtVerify(svid.svid, keys, { audience: 'reports' })
      assert.equal(payload.sub, svid.spiffeId)
      stream.cancel()
    })

    test('gives no token of another identity, none for nobody, and none without the header', async () => {
      const other = { audience: ['billing'], spiffeId: 'spiffe://mesh.local/ns/default/sa/client' }
      await assert.rejects(connect('echo-1').call(fetchJWTSVID, other), { code: status.PERMISSION_DENIED })
      await assert.rejects(connect('echo-1').call(fetchJWTSVID, {}), { code: status.INVALID_ARGUMENT })
      const strange = connect('echo-1', null)
      for (const called of [
        strange.call(fetchJWTSVID, { audience: ['billing'] }),
        strange.call(validateJWTSVID, { audience: 'billing', svid: 'x' }),
      ]) {
        await assert.rejects(called, { code: status.INVALID_ARGUMENT, details: /workload\.spiffe\.io/ })
      }
    })

    test('is for the user of the mesh alone, and known to the application', async () => {
      assert.equal((await stat(join(mesh.stateDir, 'workload-api'))).mode & 0o777, 0o700)
      assert.equal((await stat(socketOf('echo-1'))).mode & 0o777, 0o600)
      const environments = await Promise.all(
        (await processTree(mesh.pid)).map(({ pid }) => readFile(`/proc/${pid}/environ`, 'utf8')),
      )
      const own = environments.map((text) => text.split('\0')).find((lines) => lines.includes('POD_NAME=echo-1'))
      assert.ok(own?.includes(`SPIFFE_ENDPOINT_SOCKET=unix://${socketOf('echo-1')}`))
    })
  })
}

test('a rotated root comes down the streams, and each SVID verifies against the bundle beside it', async () => {
  const mesh = await startMesh({ files: [await markedMesh({ documents: settings, replicas: 1 })] })
  const client = new WorkloadApiClient(join(mesh.stateDir, 'workload-api', 'default.echo-1.sock'))
  try {
    const svids = client.follow(fetchX509SVID, {})
    const bundles = client.follow(fetchX509Bundles, {})
    await eventually(() => assert.ok(svids.messages.length > 0 && bundles.messages.length > 0), 5_000)
    const args = ['certs', 'rotate', '--root', '--state-dir', mesh.stateDir]
    await promisify(execFile)(new URL('../../heddle', import.meta.url).pathname, args)
    const root = await readFile(join(mesh.stateDir, 'ca', 'trust-bundle.pem'), 'utf8')
    await eventually(() => {
      assert.equal(certificatesToPem(split(svids.messages.at(-1)?.svids[0]?.bundle ?? new Uint8Array())), root)
      const last = bundles.messages.at(-1)?.bundles['spiffe://mesh.local']
      assert.equal(certificatesToPem(split(last ?? new Uint8Array())), root)
    }, 5_000)
    const counts = bundles.messages.map(
      ({ bundles: { 'spiffe://mesh.local': one } }) => split(one as Uint8Array).length,
    )
    assert.deepEqual(counts, [1, 2, 2, 1], 'old; old and new; new and old; new')
    for (const { svids: sent } of svids.messages) {
      assert.match(await opensslVerify(sent[0] as X509SVID, '-no_check_time'), /leaf\.pem: OK/)
    }
  } finally {
    client.close()
    assert.equal(await mesh.stop(), 0)
  }
})

test('a new proxy process takes over the socket, and nothing is left of a mesh that ends', async () => {
  const mesh = await startMesh({ files: [await markedMesh({ documents: settings, replicas: 1 })] })
  const socket = join(mesh.stateDir, 'workload-api', 'default.echo-1.sock')
  const { ino } = await stat(socket)
  process.kill(mesh.pid, 'SIGUSR2')
  await eventually(async () => assert.notEqual((await stat(socket)).ino, ino), 30_000)
  await eventually(() => assert.match(mesh.output(), /the proxy shared goes on/), 30_000)
  const client = new WorkloadApiClient(socket)
  const stream = client.follow(fetchX509SVID, {})
  await eventually(() => assert.equal(stream.messages.length, 1), 10_000)
  // a stream that is open must not hold up the end of the mesh
  process.kill(mesh.pid, 'SIGINT')
  await eventually(() => assert.ok(!existsSync(join(mesh.stateDir, 'workload-api'))), 15_000)
  assert.ok(existsSync(mesh.stateDir))
  await eventually(async () => assert.ok(!(await isRunning(mesh.pid))), 15_000)
  assert.ok(stream.error !== undefined)
  client.close()
  assert.equal(await mesh.stop(), 0)
})

/** Certificates in DER, one after the other. */
function split(bytes: Uint8Array): Buffer[] {
  let at = 0
  return elementsOf(bytes).map(({ content }) => {
    const end = content.byteOffset - bytes.byteOffset + content.length
    const one = Buffer.from(bytes.subarray(at, end))
    at = end
    return one
  })
}

async function opensslVerify(svid: X509SVID, ...options: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-svid-'))
  try {
    const [leaf, ...issuers] = split(svid.x509Svid)
    const files = { leaf: [leaf as Buffer], issuers, bundle: split(svid.bundle) }
    for (const [name, certificates] of Object.entries(files)) {
      await writeFile(join(folder, `${name}.pem`), certificatesToPem(certificates))
    }
    const args = ['verify', ...options, '-CAfile', 'bundle.pem', '-untrusted', 'issuers.pem', 'leaf.pem']
    return (await promisify(execFile)('openssl', args, { cwd: folder })).stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}
