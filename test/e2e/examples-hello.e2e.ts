// examples/hello: two workloads find each other by name, and nothing is left when the mesh stops.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ExampleCopy } from '../kit/example-copy.ts'
import { isListening } from '../kit/free-ports.ts'
import { send, sendThroughProxy } from '../kit/http-client.ts'
import { startMesh } from '../kit/running-mesh.ts'

test('examples/hello greets through the gateway and by name, and stops clean', async () => {
  using example = await ExampleCopy.of('hello')
  const mesh = await startMesh({ files: [example.folder] })
  let code: number | null = null
  let ports: number[] = []
  try {
    const gateway = mesh.state.gateways[0]?.address ?? ''
    const greeting = await send({ address: gateway, target: '/?name=Ada' })
    assert.deepEqual([greeting.status, greeting.body], [200, 'web heard: Hello, Ada!\n'])

    const web = mesh.workload('web')
    const direct = await sendThroughProxy(web.outboundProxy, 'http://greeter/?name=Grace')
    assert.equal(direct.body, 'Hello, Grace!\n')
    assert.match(web.spiffeId, /^spiffe:\/\/mesh\.local\/ns\/default\/sa\/web$/)
    assert.notEqual(web.spiffeId, mesh.workload('greeter').spiffeId)
    ports = [gateway, new URL(web.outboundProxy).host, new URL(mesh.state.adminUrl).host].map((address) =>
      Number(address.split(':')[1]),
    )
  } finally {
    code = await mesh.stop()
  }
  assert.equal(code, 0)
  for (const port of ports) assert.equal(await isListening(port), false, `port ${port} is still open`)
})
