// Promise: certificates never cause an outage. SVIDs of five seconds are renewed under load: no request fails and no expired one is ever shown.
import assert from 'node:assert/strict'
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
