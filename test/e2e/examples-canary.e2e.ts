// examples/canary: a tenth goes to v2, testers always do, and an edited weight moves the traffic.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ExampleCopy } from '../kit/example-copy.ts'
import { sendThroughProxy } from '../kit/http-client.ts'
import { eventually, startMesh } from '../kit/running-mesh.ts'

test('examples/canary splits, obeys the header, and follows the file', async () => {
  using example = await ExampleCopy.of('canary')
  const mesh = await startMesh({ files: [example.folder] })
  try {
    const { outboundProxy } = mesh.workload('caller')
    const ask = async (headers: Readonly<Record<string, string>> = {}): Promise<string> => {
      const { status, body } = await sendThroughProxy(outboundProxy, 'http://pricing/', { headers })
      assert.equal(status, 200, body)
      return body.trim()
    }
    const shareOfV2 = async (requests: number): Promise<number> => {
      let seen = 0
      for (let sent = 0; sent < requests; sent++) if ((await ask()) === 'v2') seen++
      return seen / requests
    }

    const before = await shareOfV2(500)
    assert.ok(before > 0.05 && before < 0.15, `v2 got ${before} instead of about 0.1`)
    for (let sent = 0; sent < 20; sent++) assert.equal(await ask({ 'x-canary': 'always' }), 'v2')

    example.edit('route.yaml', (text) => text.replace('weight: 90', 'weight: 0').replace('weight: 10', 'weight: 100'))
    await eventually(async () => assert.equal(await shareOfV2(20), 1), 10_000)
    assert.equal(await shareOfV2(100), 1)

    // a file that is broken while somebody edits it changes nothing
    example.edit('route.yaml', (text) => text.replace('kind: HTTPRoute', 'kind: HTTPRuote'))
    assert.equal(await shareOfV2(100), 1)
  } finally {
    assert.equal(await mesh.stop(), 0)
  }
})
