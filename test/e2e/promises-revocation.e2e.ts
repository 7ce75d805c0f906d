// Promise: what is revoked is over at once. A copy of a workload's certificate, valid for hours, opens nothing any more, the control plane
// included, and what it had open ends; the workload itself goes on with a new one.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'

import type { AuthorityStatus, RevocationStatus } from '../../src/contracts/control-api.ts'
import { controlPlaneSpiffeId } from '../../src/contracts/identity/control-plane-identity.ts'
import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { CertificateReport } from '../../src/proxy/admin/certificate-report.ts'
import { createCertificateClient } from '../../src/proxy/identity/certificate-client.ts'
import { createCertificateRequest } from '../../src/proxy/identity/certificate-request.ts'
import type { CertificateProof } from '../../src/proxy/identity/identity-agent.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import { markedMesh } from '../kit/marked-mesh.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'

const heddle = new URL('../../heddle', import.meta.url).pathname
const client = 'spiffe://mesh.local/ns/default/sa/client'
const echo = 'spiffe://mesh.local/ns/default/sa/echo'

for (const args of [[], ['--workers', '2']]) {
  test(`a copy of a certificate opens nothing once its identity is revoked: up ${args.join(' ')}`, async () => {
    const mesh = await startMesh({ files: [await markedMesh()], args })
    try {
      const inbound = mesh.state.workloads.flatMap((one) => one.inbound.map(({ address }) => address))
      const thief = await joined(mesh, client)
      const others = await joined(mesh, echo)
      for (const address of inbound) assert.ok(await isAccepted(address, thief.credentials))
      const open = await Promise.all(inbound.map((address) => openConnection(address, thief.credentials)))
      const unrelated = await Promise.all(inbound.map((address) => openConnection(address, others.credentials)))
      const before = await serialOf(mesh, 'default/client')

      const { code, stdout, stderr } = await run(mesh, 'certs', 'revoke', 'default/client', '--reason', 'laptop lost')
      assert.equal(code, 0, stderr)
      assert.match(stdout, /REVOKED +AT +REASON/)
      assert.match(stdout, /ns\/default\/sa\/client .* laptop lost/)
      assert.match(stderr, /default\/client must join again with a new token/)

      for (const [i, socket] of open.entries()) {
        await eventually(() => assert.ok(socket.closed, `the connection to ${inbound[i]} has ended`), 2_000)
      }
      assert.deepEqual(
        unrelated.map(({ closed }) => closed),
        inbound.map(() => false),
        'nobody else lost a connection',
      )
      for (const address of inbound) assert.equal(await isAccepted(address, thief.credentials), false)
      const signed = { kind: 'svid', credentials: thief.credentials } as const
      await assert.rejects(thief.sign(signed), /the X.509-SVID of .*client was revoked: join again with a new token/)
      await assert.rejects(thief.sign({ kind: 'token', token: thief.token }), /from before .*client was revoked/)

      // the workload itself has a new one, and the mesh works with it
      await eventually(async () => assert.notEqual(await serialOf(mesh, 'default/client'), before), 10_000)
      const address = mesh.workload('client').services.find((service) => service.name === 'echo')?.address
      await eventually(async () => assert.equal((await fetch(`http://${address}/`)).status, 200), 5_000)

      const metrics = await (await fetch(`${mesh.state.adminUrl}/metrics`)).text()
      assert.match(metrics, /^heddle_revocations 1$/m)
      assert.match(metrics, /^heddle_proxies_connected [1-9]/m)
      assert.match(metrics, /^heddle_svids_issued_total\{type="x509",proof="token"\} [5-9]$/m)
      for (const reason of ['certificate_revoked', 'token_revoked'])
        assert.match(metrics, new RegExp(`^heddle_signing_requests_refused_total\\{reason="${reason}"\\} [1-9]`, 'm'))
      for (const role of ['root', 'intermediate']) {
        const expiry = `heddle_authority_certificate_expiry_timestamp_seconds\\{role="${role}",use="signing"\\}`
        const [, seconds] = new RegExp(`^${expiry} (\\d+)$`, 'm').exec(metrics) ?? []
        assert.ok(Number(seconds) * 1000 > Date.now() + 300 * 86_400_000, metrics)
      }

      await killControlPlane(mesh)
      const listed = await eventually(() => revocationsOf(mesh), 20_000)
      assert.deepEqual(
        listed.map(({ spiffeId, reason }) => ({ spiffeId, reason })),
        [{ spiffeId: client, reason: 'laptop lost' }],
      )
      for (const one of inbound) assert.equal(await isAccepted(one, thief.credentials), false)
      await eventually(async () => assert.deepEqual((await revocationsOf(mesh))[0]?.waitingFor, []), 10_000)
      const anew = await joined(mesh, client)
      for (const one of inbound) assert.ok(await isAccepted(one, anew.credentials))
    } finally {
      await mesh.stop()
    }
  })
}

test('a workload that serves is revoked: nobody is answered with the old certificate, then it serves again', async () => {
  const mesh = await startMesh({ files: [await markedMesh()] })
  try {
    const address = mesh.workload('client').services.find((service) => service.name === 'echo')?.address
    await using load = new SteadyLoad({ url: `http://${address}/`, connections: 4, pauseMs: 5 })
    const before = await serialOf(mesh, 'default/echo-1')
    const { code, stderr } = await run(mesh, 'certs', 'revoke', echo)
    assert.equal(code, 0, stderr)
    assert.match(stderr, /default\/echo-1, default\/echo-2 must join again/)
    await eventually(async () => {
      assert.notEqual(await serialOf(mesh, 'default/echo-1'), before)
      for (let i = 0; i < 10; i++) assert.equal((await fetch(`http://${address}/`)).status, 200)
    }, 10_000)
    await load.stop()
  } finally {
    await mesh.stop()
  }
})

test('what cannot be revoked is refused with the reason', async () => {
  const mesh = await startMesh({ files: [await markedMesh()] })
  try {
    for (const [identity, reason] of [
      ['default/nobody', /no proxy is called default\/nobody/],
      ['spiffe://other.example/ns/a/sa/b', /no workload of trust domain "mesh.local"/],
      [controlPlaneSpiffeId('mesh.local'), /is the control plane/],
      ['spiffe://mesh.local', /is no SPIFFE ID of a workload/],
    ] as const) {
      const { code, stderr } = await run(mesh, 'certs', 'revoke', identity)
      assert.equal(code, 2, identity)
      assert.match(stderr, reason)
    }
    const gone = await run(mesh, 'certs', 'revoke', 'spiffe://mesh.local/ns/default/sa/gone')
    assert.equal(gone.code, 0, gone.stderr)
    assert.match(gone.stderr, /no proxy of the mesh has the identity/)
    const audit = await readFile(join(mesh.stateDir, 'audit.jsonl'), 'utf8')
    assert.match(audit, /"object":"identity\/spiffe:\/\/mesh.local\/ns\/default\/sa\/gone","action":"revoked"/)
  } finally {
    await mesh.stop()
  }
})

test('a workload that is removed loses access when its certificate ends, or at once when it is revoked', async () => {
  const file = await markedMesh({
    documents: `
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec:
  certificates: {workloadLifetime: 8s}
`,
  })
  const mesh = await startMesh({ files: [file] })
  try {
    const inbound = mesh.workload('echo-1').inbound[0]?.address as string
    const thief = await joined(mesh, client)
    const documents = (await readFile(file, 'utf8')).split('---')
    await writeFile(file, documents.filter((text) => !text.includes('metadata: {name: client,')).join('---'))
    await eventually(async () => {
      const renewal = thief.sign({ kind: 'svid', credentials: thief.credentials })
      await assert.rejects(renewal, /the mesh has no workload or gateway .*client/)
    }, 5_000)
    const last = thief.credentials
    await eventually(async () => assert.equal(await isAccepted(inbound, last), false), 9_000)

    // by its SPIFFE ID, for it has no name any more
    await writeFile(file, documents.join('---'))
    const second = await eventually(() => joined(mesh, client), 5_000)
    assert.ok(await isAccepted(inbound, second.credentials))
    await writeFile(file, documents.filter((text) => !text.includes('metadata: {name: client,')).join('---'))
    const startMs = performance.now()
    const { code, stderr } = await run(mesh, 'certs', 'revoke', client)
    assert.equal(code, 0, stderr)
    assert.equal(await isAccepted(inbound, second.credentials), false)
    assert.ok(performance.now() - startMs < 4_000, 'before it would have ended by itself')
  } finally {
    await mesh.stop()
  }
})

interface Joined {
  readonly credentials: TlsCredentials
  readonly token: string
  /** Asks for a certificate for the key that joined. */
  sign(proof: CertificateProof): Promise<unknown>
}

/** Whoever has got hold of a token, and of what it was good for. */
async function joined(mesh: RunningMesh, spiffeId: string): Promise<Joined> {
  const { adminUrl, adminToken } = await mesh.reload()
  const answer = await fetch(`${adminUrl}/v1/join-tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'sidecar', namespace: 'default', name: spiffeId === client ? 'client' : 'echo-1' }),
  })
  assert.equal(answer.status, 200)
  const { token } = (await answer.json()) as { readonly token: string }
  const folder = join(mesh.stateDir, 'proxies')
  const [file = ''] = await readdir(folder)
  const bootstrap = JSON.parse(await readFile(join(folder, file), 'utf8')) as {
    readonly controlPlaneAddress: string
    readonly trustBundleFile: string
  }
  const ask = createCertificateClient({
    address: bootstrap.controlPlaneAddress,
    trustBundleFile: bootstrap.trustBundleFile,
    controlPlaneSpiffeId: controlPlaneSpiffeId('mesh.local'),
    clock: systemClock,
  })
  const { csrDer, privateKeyPem } = createCertificateRequest(spiffeId)
  const { chainDer, bundleDer } = await ask(csrDer, { kind: 'token', token })
  const credentials = {
    certificateChainPem: certificatesToPem(chainDer),
    privateKeyPem,
    rootsPem: certificatesToPem(bundleDer),
  }
  return { credentials, token, sign: (proof) => ask(csrDer, proof) }
}

function dial(address: string, { certificateChainPem, privateKeyPem }: TlsCredentials): TLSSocket {
  const [host, port] = address.split(':') as [string, string]
  const socket = connect({
    host,
    port: Number(port),
    rejectUnauthorized: false,
    cert: certificateChainPem,
    key: privateKeyPem,
    ALPNProtocols: ['http/1.1'],
  })
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\nHost: echo\r\n\r\n')
  return socket
}

/** TLS 1.3 tells a client of a refusal only after its handshake: whether there is an answer. */
function isAccepted(address: string, credentials: TlsCredentials): Promise<boolean> {
  const socket = dial(address, credentials)
  return new Promise((resolve) => {
    socket.once('data', (bytes: Buffer) => {
      socket.destroy()
      resolve(bytes.toString().startsWith('HTTP/1.1 '))
    })
    socket.once('close', () => resolve(false))
  })
}

/** One that has served a request and is kept. */
function openConnection(address: string, credentials: TlsCredentials): Promise<TLSSocket> {
  const socket = dial(address, credentials)
  return new Promise((resolve, reject) => {
    socket.on('data', () => resolve(socket))
    socket.once('close', () => reject(new Error(`${address} refused it`)))
  })
}

async function serialOf(mesh: RunningMesh, proxy: string): Promise<string | undefined> {
  const { stdout } = await run(mesh, 'certs', '-o', 'json')
  const all = JSON.parse(stdout) as (CertificateReport & { readonly proxy: string })[]
  return all.find((one) => one.proxy === proxy)?.serialNumber
}

async function revocationsOf(mesh: RunningMesh): Promise<readonly RevocationStatus[]> {
  const { code, stdout, stderr } = await run(mesh, 'certs', 'authority', '-o', 'json')
  assert.equal(code, 0, stderr)
  return (JSON.parse(stdout) as AuthorityStatus).revocations
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
