// PeerAuthentication documents in a real mesh: what each port takes, from outside and through sidecars, and what a change does to connections.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { Agent, createServer, request } from 'node:http'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from 'node:tls'

import { createAuthority } from '../../src/control/authority/authority.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createCertificateRequest } from '../../src/proxy/identity/certificate-request.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'

let mesh: RunningMesh
let file = ''
/** Arguments with which openssl shows a certificate of the mesh. */
let certificate: readonly string[] = []
const servers: Server[] = []

/** Of the applications: `strict` has one port, `mixed` two. */
type Port = 'strict' | 'open' | 'closed'
const ports = { strict: 0, open: 0, closed: 0 }

function documents(closed: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: PeerAuthentication
metadata: { name: mixed }
spec:
  selector: { matchLabels: { app: mixed } }
  portLevelMtls:
    ${ports.open}: { mode: PERMISSIVE }
    ${ports.closed}: { mode: ${closed} }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
spec: { serviceAccount: client }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: strict, labels: { app: strict } }
spec: { serviceAccount: strict, ports: [{ name: http, port: ${ports.strict} }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: mixed, labels: { app: mixed } }
spec: { serviceAccount: mixed, ports: [{ name: http-open, port: ${ports.open} }, { name: http-closed, port: ${ports.closed} }] }
---
apiVersion: v1
kind: Service
metadata: { name: strict }
spec: { selector: { app: strict }, ports: [{ name: http, port: 80, targetPort: ${ports.strict} }] }
---
apiVersion: v1
kind: Service
metadata: { name: mixed }
spec:
  selector: { app: mixed }
  ports: [{ name: http-open, port: 80, targetPort: ${ports.open} }, { name: http-closed, port: 81, targetPort: ${ports.closed} }]
`
}

before(async () => {
  const [strict = 0, open = 0, closed = 0] = await freePorts(3)
  Object.assign(ports, { strict, open, closed })
  for (const [name, port] of Object.entries(ports))
    servers.push(
      await listenOn(
        port,
        createServer((_, response) => response.end(`from ${name}`)),
      ),
    )
  file = await meshFile(documents('UNSET'))
  mesh = await startMesh({ files: [file] })
  certificate = await memberCertificate()
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers) server.close()
})

/** As the mesh's own authority would issue it to workload `client`. */
async function memberCertificate(): Promise<string[]> {
  const { stateDir } = mesh
  const options = { stateDir, trustDomain: 'mesh.local', clock: systemClock, svidLifetimeMs: () => 3_600_000 }
  const spiffeId = mesh.workload('client').spiffeId
  const { privateKeyPem, csrDer } = createCertificateRequest(spiffeId)
  const chain = createAuthority(options)
    .sign(csrDer, spiffeId)
    .chainDer.map((der) => new X509Certificate(der).toString())
  await writeFile(certificateFile(), chain.join(''))
  await writeFile(keyFile(), privateKeyPem)
  return ['-cert', certificateFile(), '-cert_chain', certificateFile(), '-key', keyFile()]
}

const certificateFile = (): string => join(mesh.stateDir, 'test-chain.pem')
const keyFile = (): string => join(mesh.stateDir, 'test-key.pem')

function inbound(port: Port): string {
  const found = mesh.workload(port === 'strict' ? 'strict' : 'mixed').inbound.find((one) => one.port === ports[port])
  return found?.address ?? ''
}

function bySidecar(port: Port): string {
  const { services } = mesh.workload('client')
  const [name, number] = port === 'strict' ? ['strict', 80] : ['mixed', port === 'open' ? 80 : 81]
  return services.find((service) => service.name === name && service.port === number)?.address ?? ''
}

async function curl(address: string): Promise<string> {
  const { exitCode, stdout } = await runCommand('curl', ['-sS', '--max-time', '10', `http://${address}/`])
  return exitCode === 0 ? stdout : 'refused'
}

async function openssl(address: string, args: readonly string[]): Promise<string> {
  const asks = `printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n'`
  const client = `openssl s_client -quiet -connect ${address} -alpn http/1.1 ${args.join(' ')}`
  const { stdout } = await runCommand('sh', ['-c', `${asks} | ${client}`])
  return /from \w+/.exec(stdout)?.[0] ?? 'refused'
}

const callers = {
  'curl in plaintext': (port: Port) => curl(inbound(port)),
  'curl through its sidecar': (port: Port) => curl(bySidecar(port)),
  'openssl without a certificate': (port: Port) => openssl(inbound(port), []),
  'openssl with a certificate': (port: Port) => openssl(inbound(port), certificate),
} as const

async function setClosed(mode: string): Promise<void> {
  await writeFile(file, documents(mode))
}

describe('a workload under STRICT beside one of which one port is PERMISSIVE', () => {
  const table: readonly (readonly [keyof typeof callers, Port, boolean])[] = [
    ['curl in plaintext', 'strict', false],
    ['curl in plaintext', 'open', true],
    ['curl in plaintext', 'closed', false],
    ['curl through its sidecar', 'strict', true],
    ['curl through its sidecar', 'open', true],
    ['curl through its sidecar', 'closed', true],
    ['openssl without a certificate', 'strict', false],
    ['openssl without a certificate', 'open', false],
    ['openssl without a certificate', 'closed', false],
    ['openssl with a certificate', 'strict', true],
    ['openssl with a certificate', 'open', true],
    ['openssl with a certificate', 'closed', true],
  ]
  for (const [caller, port, served] of table)
    it(`${caller} at the port ${port}: ${served ? 'served' : 'refused'}`, async () => {
      assert.equal(await callers[caller](port), served ? `from ${port}` : 'refused')
    })
})

describe('while documents change', () => {
  it('no connection that stays allowed is dropped, and no request fails', async () => {
    await using through = new SteadyLoad({ url: `http://${bySidecar('closed')}/`, connections: 4, pauseMs: 2 })
    await using plaintext = new SteadyLoad({ url: `http://${inbound('open')}/`, connections: 4, pauseMs: 2 })
    for (const [mode, answer] of [
      ['PERMISSIVE', 'from closed'],
      ['STRICT', 'refused'],
      ['PERMISSIVE', 'from closed'],
      ['UNSET', 'refused'],
    ] as const) {
      await setClosed(mode)
      await eventually(async () => assert.equal(await curl(inbound('closed')), answer), 5_000)
      const [before_, beside] = [through.ok, plaintext.ok]
      await eventually(() => assert.ok(through.ok > before_ + 20 && plaintext.ok > beside + 20), 5_000)
    }
    for (const load of [through, plaintext]) {
      const { failures, connectionsOpened } = await load.stop()
      assert.deepEqual(failures, [])
      assert.equal(connectionsOpened, 4)
    }
  })

  it('a connection that is no longer allowed gets no further request served', async () => {
    await setClosed('PERMISSIVE')
    await eventually(async () => assert.equal(await curl(inbound('closed')), 'from closed'), 5_000)
    const [host, port] = inbound('closed').split(':') as [string, string]
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ask = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const sent = request({ agent, host, port }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0))
        })
        sent.once('error', reject).end()
      })
    try {
      assert.equal(await ask(), 200)
      await setClosed('UNSET')
      await eventually(async () => assert.equal(await curl(inbound('closed')), 'refused'), 5_000)
      assert.equal(await ask(), 403)
    } finally {
      agent.destroy()
    }
  })

  it('a port that comes to take no TLS is reached in plaintext, and serves on what was secured before', async () => {
    const [host, port] = inbound('closed').split(':') as [string, string]
    const options = { host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }
    const secured = connect({ ...options, cert: await readFile(certificateFile()), key: await readFile(keyFile()) })
    let received = ''
    secured.on('data', (bytes) => (received += bytes.toString()))
    const served = async (times: number): Promise<void> => {
      secured.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await eventually(() => assert.equal(received.split('from closed').length - 1, times, received), 5_000)
    }
    try {
      await served(1)
      await setClosed('DISABLE')
      await eventually(async () => assert.equal(await curl(inbound('closed')), 'from closed'), 5_000)
      await served(2)
      await eventually(async () => assert.equal(await curl(bySidecar('closed')), 'from closed'), 5_000)
      assert.equal(await openssl(inbound('closed'), certificate), 'refused')
      await setClosed('UNSET')
      await eventually(async () => assert.equal(await curl(inbound('closed')), 'refused'), 5_000)
      await eventually(async () => assert.equal(await curl(bySidecar('closed')), 'from closed'), 5_000)
      await served(3)
    } finally {
      secured.destroy()
    }
  })

  it('a bad document leaves the last good one in force', async () => {
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('{ mode: PERMISSIVE }', '{ mode: OPEN }'))
    await eventually(async () => {
      const { stdout } = await runCommand('./heddle', ['check', '--state-dir', mesh.stateDir])
      assert.match(stdout, /mesh\.yaml:\d+:\d+: error HDL005: "mode" must be one of UNSET, STRICT, PERMISSIVE, DISABLE/)
    }, 10_000)
    assert.equal(await curl(inbound('open')), 'from open')
    assert.equal(await curl(inbound('strict')), 'refused')
  })
})
