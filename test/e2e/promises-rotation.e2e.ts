// Promise: a new root costs nobody a request. It is rotated under load while the control plane is killed in every phase; in the end each proxy
// trusts the new root only.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'

import type { AuthorityStatus, RotationPhase } from '../../src/contracts/control-api.ts'
import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { createAuthority } from '../../src/control/authority/authority.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { CertificateReport } from '../../src/proxy/admin/certificate-report.ts'
import { createCertificateRequest } from '../../src/proxy/identity/certificate-request.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import { markedMesh } from '../kit/marked-mesh.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'

const heddle = new URL('../../heddle', import.meta.url).pathname

const settings = `
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec:
  certificates: {workloadLifetime: 8s}
`

for (const args of [[], ['--workers', '2']]) {
  test(`the root is rotated under load, the control plane killed in every phase: up ${args.join(' ')}`, async () => {
    const mesh = await startMesh({ files: [await markedMesh({ documents: settings })], args })
    try {
      const address = mesh.workload('client').services.find((service) => service.name === 'echo')?.address
      assert.ok(address !== undefined)
      await using kept = new SteadyLoad({ url: `http://${address}/`, connections: 4, pauseMs: 5 })
      await using fresh = new SteadyLoad({
        url: `http://${address}/`,
        connections: 2,
        pauseMs: 20,
        headers: { connection: 'close' },
      })
      const [oldRoot] = await roots(mesh)
      assert.ok(oldRoot)
      const inbound = mesh.state.workloads.flatMap((workload) => workload.inbound).map((one) => one.address)
      assert.equal(inbound.length, 3)
      const old = await signedByCopyOf(mesh)
      for (const one of inbound) await eventually(async () => assert.ok(await isAccepted(one, old)), 2_000)
      const rotating = run(mesh, 'certs', 'rotate', '--root')
      const killedIn = new Set<RotationPhase>()
      const seen: RotationPhase[] = []
      await eventually(async () => {
        const rotation = await rotationOf(mesh)
        if (rotation !== undefined && seen.at(-1) !== rotation.phase) seen.push(rotation.phase)
        if (rotation !== undefined && !killedIn.has(rotation.phase)) {
          await killControlPlane(mesh)
          killedIn.add(rotation.phase)
        }
        assert.deepEqual([...killedIn], ['distribute', 'switch', 'retire'])
      }, 30_000)
      const { code, stderr } = await rotating
      assert.equal(code, 0, stderr)
      assert.deepEqual(seen, ['distribute', 'switch', 'retire'])
      for (const phase of seen) assert.match(stderr, new RegExp(`rotating the root, ${phase}`))

      const after = await roots(mesh)
      assert.equal(after.length, 1)
      assert.notEqual(after[0], oldRoot)
      for (const one of inbound) assert.equal(await isAccepted(one, old), false, `${one} forgot the old root`)
      const present = await signedByCopyOf(mesh)
      for (const one of inbound) assert.ok(await isAccepted(one, present))
      const certificates = JSON.parse((await run(mesh, 'certs', '-o', 'json')).stdout) as CertificateReport[]
      assert.equal(certificates.length, 3)
      const status = JSON.parse((await run(mesh, 'certs', 'authority', '-o', 'json')).stdout) as AuthorityStatus
      assert.deepEqual(
        status.certificates.map(({ role, use }) => `${role} ${use}`),
        ['root signing', 'intermediate signing'],
      )
      const results = [await kept.stop(), await fresh.stop()]
      assert.deepEqual(
        results.flatMap(({ failures }) => failures),
        [],
      )
      assert.ok(results.every(({ ok }) => ok > 50))
      assert.equal(results[0]?.connectionsOpened, 4, 'no keep-alive connection of a client was dropped')
    } finally {
      await mesh.stop()
    }
  })
}

test('the intermediate is rotated below the same root', async () => {
  const mesh = await startMesh({ files: [await markedMesh()] })
  try {
    const before = JSON.parse((await run(mesh, 'certs', 'authority', '-o', 'json')).stdout) as AuthorityStatus
    const { code, stdout } = await run(mesh, 'certs', 'rotate', '--intermediate', '-o', 'json')
    assert.equal(code, 0)
    const after = JSON.parse(stdout) as AuthorityStatus
    assert.deepEqual(after.certificates[0], before.certificates[0])
    assert.notEqual(after.certificates[1]?.serialNumber, before.certificates[1]?.serialNumber)
    const both = await run(mesh, 'certs', 'rotate', '--intermediate', '--root')
    assert.equal(both.code, 2)
    assert.match(both.stderr, /say what to rotate/)
    const published = JSON.parse((await run(mesh, 'certs', 'rotate', '--jwt', '-o', 'json')).stdout) as AuthorityStatus
    assert.deepEqual(
      published.jwtKeys.map(({ use }) => use),
      ['signing', 'next'],
    )
    const { stdout: shown } = await run(mesh, 'certs', 'authority')
    for (const { kid } of published.jwtKeys) assert.ok(shown.includes(kid), shown)
  } finally {
    await mesh.stop()
  }
})

/** Credentials that end long after the rotation, from a copy of the authority as it is now. */
async function signedByCopyOf(mesh: RunningMesh): Promise<TlsCredentials> {
  const stateDir = await mkdtemp(join(tmpdir(), 'heddle-copy-'))
  try {
    await cp(join(mesh.stateDir, 'ca'), join(stateDir, 'ca'), { recursive: true })
    const trust = { stateDir, trustDomain: 'mesh.local', clock: systemClock }
    const authority = createAuthority({ ...trust, svidLifetimeMs: () => 3_600_000 })
    const spiffeId = 'spiffe://mesh.local/ns/default/sa/client'
    const { csrDer, privateKeyPem } = createCertificateRequest(spiffeId)
    const { chainDer } = authority.sign(csrDer, spiffeId)
    const { rootsPem } = authority.trustBundle
    return { certificateChainPem: certificatesToPem(chainDer), privateKeyPem, rootsPem }
  } finally {
    await rm(stateDir, { recursive: true })
  }
}

/** Whether a client with these credentials gets an answer; TLS 1.3 tells it of a refusal only after its handshake. */
function isAccepted(address: string, credentials: TlsCredentials): Promise<boolean> {
  const [host, port] = address.split(':') as [string, string]
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port),
      rejectUnauthorized: false,
      cert: credentials.certificateChainPem,
      key: credentials.privateKeyPem,
      ALPNProtocols: ['http/1.1'],
    })
    socket.write('GET / HTTP/1.1\r\nHost: echo\r\n\r\n')
    socket.once('data', (bytes: Buffer) => {
      socket.destroy()
      resolve(bytes.toString().startsWith('HTTP/1.1 '))
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}

/** Serial numbers of the roots that the control plane hands out. */
async function roots(mesh: RunningMesh): Promise<string[]> {
  const { stdout } = await run(mesh, 'certs', 'authority', '-o', 'json')
  const { certificates } = JSON.parse(stdout) as AuthorityStatus
  return certificates.filter(({ role }) => role === 'root').map(({ serialNumber }) => serialNumber)
}

async function rotationOf(mesh: RunningMesh): Promise<{ readonly phase: RotationPhase } | undefined> {
  try {
    const text = await readFile(join(mesh.stateDir, 'ca', 'rotation.json'), 'utf8')
    return JSON.parse(text) as { readonly phase: RotationPhase }
  } catch {
    return undefined
  }
}

async function killControlPlane(mesh: RunningMesh): Promise<void> {
  const children = await readFile(`/proc/${mesh.pid}/task/${mesh.pid}/children`, 'utf8')
  for (const pid of children.split(' ').filter(Boolean).map(Number)) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (commandLine.split('\0').includes('control-plane')) process.kill(pid, 'SIGKILL')
  }
}

function run(
  mesh: RunningMesh,
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(heddle, [...args, '--state-dir', mesh.stateDir], { stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}
