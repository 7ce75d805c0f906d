// examples/shop: a customer buys through every service, and an edited split moves the recommendations while the shop stays open.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ExampleCopy } from '../kit/example-copy.ts'
import { send } from '../kit/http-client.ts'
import type { WireResponse } from '../kit/http-client.ts'
import { eventually, startMesh } from '../kit/running-mesh.ts'

test('examples/shop sells, and its split follows the file', async (t) => {
  using example = await ExampleCopy.of('shop')
  // the test's own customers are enough, and a bank that answers makes the outcome certain
  example.edit('mesh.yaml', (text) =>
    text.replace("RATE: '20'", "RATE: '2'").replace("FAILURE_RATE: '0.02'", "FAILURE_RATE: '0'"),
  )
  const mesh = await startMesh({ files: [example.folder] })
  try {
    const address = mesh.state.gateways[0]?.address ?? ''
    const visit = async (target: string, cookie: string, form?: string): Promise<WireResponse> => {
      const posted = { method: 'POST', headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' } }
      const answer = await send({
        address,
        target,
        ...(form === undefined ? { headers: { cookie } } : { ...posted, body: form }),
      })
      assert.ok(answer.status < 400, `${target} answered ${answer.status}: ${answer.body}`)
      return answer
    }
    const versionShown = async (): Promise<string | undefined> => {
      const { body } = await visit('/', 'cart=looker')
      return /data-version="(v\d)"/.exec(body)?.[1]
    }
    const shareOfV2 = async (pages: number): Promise<number> => {
      let seen = 0
      for (let shown = 0; shown < pages; shown++) {
        const version = await versionShown()
        assert.ok(version !== undefined, 'a page without recommendations')
        if (version === 'v2') seen++
      }
      return seen / pages
    }

    await t.test('a customer fills a cart and pays', async () => {
      const cookie = 'cart=customer-1'
      await visit('/cart', cookie, 'sku=loom')
      await visit('/cart', cookie, 'sku=wool')
      assert.match((await visit('/', cookie)).body, /Together<\/td><td>€ 398\.90/)
      const paid = await visit('/checkout', cookie, '')
      assert.match(paid.headers['location'] ?? '', /^\/\?order=[0-9a-f]{8}&cents=39890$/)
      assert.match((await visit('/', cookie)).body, /Nothing in it yet/)
    })

    await t.test('a tenth of the pages shows recommendations v2', async () => {
      const share = await shareOfV2(200)
      assert.ok(share > 0.02 && share < 0.2, `v2 was on ${share} of the pages`)
    })

    await t.test('an edited split moves the traffic, and no page fails', async () => {
      example.edit('routes.yaml', (text) =>
        text.replace('weight: 90', 'weight: 0').replace('weight: 10', 'weight: 100'),
      )
      await eventually(async () => assert.equal(await shareOfV2(10), 1), 10_000)
      assert.equal(await shareOfV2(50), 1)
    })
  } finally {
    assert.equal(await mesh.stop(), 0)
  }
})
