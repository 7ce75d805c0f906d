// examples/ingress: one gateway, two hostnames, a redirect, a rewrite, and changed headers.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ExampleCopy } from '../kit/example-copy.ts'
import { send } from '../kit/http-client.ts'
import type { WireResponse } from '../kit/http-client.ts'
import { startMesh } from '../kit/running-mesh.ts'

interface Page {
  readonly app: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

test('examples/ingress routes by hostname, redirects, rewrites, and changes headers', async (t) => {
  using example = await ExampleCopy.of('ingress')
  const mesh = await startMesh({ files: [example.folder] })
  try {
    const address = mesh.state.gateways[0]?.address ?? ''
    const get = (host: string, target: string, headers: Readonly<Record<string, string>> = {}): Promise<WireResponse> =>
      send({ address, target, headers: { host, ...headers } })

    await t.test('by hostname', async () => {
      assert.equal((JSON.parse((await get('shop.example.com', '/')).body) as Page).app, 'shop')
      assert.equal((JSON.parse((await get('blog.example.com', '/')).body) as Page).app, 'blog')
      assert.equal((await get('other.example.com', '/')).status, 404)
    })
    await t.test('redirect', async () => {
      const host = `shop.example.com:${address.split(':')[1]}`
      const { status, headers } = await get(host, '/store/loom?colour=oak')
      assert.deepEqual([status, headers['location']], [301, `http://${host}/loom?colour=oak`])
    })
    await t.test('rewrite', async () => {
      const page = JSON.parse((await get('shop.example.com', '/api/looms?n=1')).body) as Page
      assert.equal(page.path, '/v1/looms?n=1')
    })
    await t.test('headers', async () => {
      const { headers, body } = await get('blog.example.com', '/post', { 'x-debug': 'yes' })
      const page = JSON.parse(body) as Page
      assert.equal(page.headers['x-forwarded-prefix'], '/')
      assert.equal(page.headers['x-debug'], undefined)
      assert.equal(headers['cache-control'], 'max-age=60')
      assert.equal(headers['x-powered-by'], undefined)
      assert.equal((await get('shop.example.com', '/')).headers['x-powered-by'], 'looms')
    })
  } finally {
    assert.equal(await mesh.stop(), 0)
  }
})
