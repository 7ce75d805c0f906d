// examples/tls-gateway: a certificate for each hostname reaches the gateway and nobody's eyes; HTTP leads to HTTPS.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ConfigDump } from '../../src/proxy/admin/config-dump.ts'
import { ExampleCopy } from '../kit/example-copy.ts'
import { send } from '../kit/http-client.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, startMesh } from '../kit/running-mesh.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname

/** What it says and what it shows; `host` is asked for on the connection for `name`. */
async function curl(port: string, name: string, host = name): Promise<string> {
  const url = `https://${name}.example.com:${port}/`
  const args = ['-skv', '--resolve', `${name}.example.com:${port}:127.0.0.1`, '-H', `Host: ${host}.example.com`]
  const { stdout, stderr } = await runCommand('curl', [...args, '-w', '\n%{http_code}', url])
  return stdout + stderr
}

test('examples/tls-gateway', async (t) => {
  using example = await ExampleCopy.of('tls-gateway')
  const mesh = await startMesh({ files: [example.folder] })
  const heddle = async (...args: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await runCommand(launcher, [...args, '--state-dir', mesh.stateDir])
    return stdout + stderr
  }
  try {
    const address = mesh.state.gateways.find(({ listener }) => listener === 'http')?.address ?? ''
    const secure = mesh.state.gateways.find(({ listener }) => listener === 'shop')?.address.split(':')[1] ?? ''

    await t.test('the gateway listens with the certificates it was given', async () => {
      let dump = ''
      await eventually(async () => {
        dump = await heddle('proxy-config', 'gateway~default~public', '-o', 'json')
        const { listeners } = JSON.parse(dump) as ConfigDump
        assert.ok(listeners.some(({ port }) => String(port) === secure))
      }, 5_000)
      const { listeners } = JSON.parse(dump) as ConfigDump
      const https = listeners.find(({ port }) => String(port) === secure)
      assert.deepEqual(
        https?.filterChains.map(({ match, tls }) => [match.serverNames, tls?.kind === 'terminate' && tls.secrets]),
        [
          [['shop.example.com'], ['certificate|default/shop-certificate']],
          [['blog.example.com'], ['certificate|default/blog-certificate']],
        ],
      )
      assert.doesNotMatch(dump, /PRIVATE KEY/)
    })
    await t.test('nothing prints a key', async () => {
      const shown = [
        await heddle('get', 'secret', 'shop-certificate', '-o', 'yaml'),
        await heddle('get', 'secret', '-o', 'json'),
        await heddle('analyze', '-f', example.folder),
        mesh.output(),
      ].join('\n')
      assert.match(shown, /shop-certificate/)
      assert.doesNotMatch(shown, /PRIVATE KEY/)
    })
    await t.test('each name is served with its own certificate, and none on the connection of the other', async () => {
      for (const name of ['shop', 'blog']) {
        const shown = await curl(secure, name)
        assert.match(shown, new RegExp(`"app":"${name}"`))
        assert.match(shown, /"x-forwarded-proto":"https"/)
        assert.match(shown, new RegExp(`subject: CN=${name}\\.example\\.com`))
      }
      assert.match(await curl(secure, 'shop', 'blog'), /^421/m)
    })
    await t.test('HTTP leads to HTTPS', async () => {
      const { status, headers } = await send({ address, target: '/loom?x=1', headers: { host: 'shop.example.com' } })
      assert.deepEqual([status, headers['location']], [301, 'https://shop.example.com:8445/loom?x=1'])
    })
  } finally {
    assert.equal(await mesh.stop(), 0)
  }
})
