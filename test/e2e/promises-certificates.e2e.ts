// Promise: certificates never cause an outage. SVIDs of five seconds are renewed under load: no request fails and no expired one is ever shown.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { connect } from 'node:tls'

import { markedMesh } from '../kit/marked-mesh.ts'
import { eventually, startMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'

/** HEDDLE_LONG=1 runs for two minutes, as the promise says; otherwise for several lifetimes. */
const runMs = process.env['HEDDLE_LONG'] === '1' ? 120_000 : 17_000

const settings = `
apiVersion: heddle.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec:
  certificates: {workloadLifetime: 5s}
`

interface ShownCertificate {
  readonly serial: string
  readonly validTo: number
}

test('SVIDs of five seconds are renewed under load without a failed request', async () => {
  const mesh = await startMesh({ files: [await markedMesh({ documents: settings })] })
  try {
    const address = mesh.workload('client').services.find((service) => service.name === 'echo')?.address
    assert.ok(address !== undefined)
    const inbound = mesh.workload('echo-1').inbound[0]?.address
    assert.ok(inbound !== undefined)
    await using load = new SteadyLoad({ url: `http://${address}/`, connections: 8, pauseMs: 5 })
    const serials = new Set<string>()
    const untilMs = performance.now() + runMs
    while (performance.now() < untilMs) {
      const shown = await shownCertificate(inbound)
      assert.ok(
        shown.validTo > Date.now(),
        `certificate ${shown.serial} ended at ${new Date(shown.validTo).toISOString()}`,
      )
      serials.add(shown.serial)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const result = await load.stop()
    assert.deepEqual(result.failures, [])
    assert.ok(result.ok > 100, `${result.ok} requests`)
    assert.equal(result.connectionsOpened, 8, 'no keep-alive connection of a client was dropped')
    assert.ok(serials.size >= Math.floor(runMs / 5000), `${serials.size} different certificates were shown`)
  } finally {
    await mesh.stop()
  }
})

test('with the control plane dead certificates serve until they end, and not beyond', async () => {
  const lifetime = settings.replace('5s', '12s')
  const mesh = await startMesh({ files: [await markedMesh({ documents: lifetime })] })
  let dead = true
  const kept = keepDead(mesh.pid, () => dead)
  try {
    const address = mesh.workload('client').services.find((service) => service.name === 'echo')?.address
    const answer = async (): Promise<number> => (await fetch(`http://${address}/`)).status
    const inbound = mesh.state.workloads.flatMap((workload) => workload.inbound.map((one) => one.address))
    const shown = async (): Promise<number[]> => {
      return (await Promise.all(inbound.map(shownCertificate))).map(({ validTo }) => validTo)
    }
    const firstEndMs = Math.min(...(await shown()))
    assert.ok(firstEndMs - Date.now() > 3_000, 'there is something to see')
    let answered = 0
    while (Date.now() < firstEndMs - 500) {
      assert.equal(await answer(), 200)
      // connections that were open say nothing of new ones
      assert.equal(Math.min(...(await shown())), firstEndMs)
      answered++
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.ok(answered > 20, `${answered} requests`)
    await eventually(async () => assert.equal(await answer(), 503), 12_000)
    dead = false
    await kept
    await eventually(async () => assert.equal(await answer(), 200), 20_000)
  } finally {
    dead = false
    await mesh.stop()
  }
})

/** The supervisor starts it again and again. */
async function keepDead(supervisor: number, isDead: () => boolean): Promise<void> {
  while (isDead()) {
    const children = await readFile(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8').catch(() => '')
    for (const pid of children.split(' ').filter(Boolean).map(Number)) {
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      if (commandLine.split('\0').includes('control-plane')) process.kill(pid, 'SIGKILL')
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Handshakes without a client certificate, far enough to see the server's. */
function shownCertificate(address: string): Promise<ShownCertificate> {
  return eventually(
    () =>
      new Promise<ShownCertificate>((resolve, reject) => {
        const [host, port] = address.split(':') as [string, string]
        const socket = connect(
          { host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] },
          () => {
            const certificate = socket.getPeerCertificate()
            socket.destroy()
            resolve({ serial: certificate.serialNumber, validTo: Date.parse(certificate.valid_to) })
          },
        )
        socket.on('error', reject)
      }),
    2_000,
  )
}
