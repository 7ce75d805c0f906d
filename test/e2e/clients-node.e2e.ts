// Node's own clients, unchanged applications with the environment that the mesh sets.
import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { parseEcho, startEchoMesh } from '../kit/echo-mesh.ts'
import type { EchoMesh } from '../kit/echo-mesh.ts'
import { runCommand } from '../kit/run-command.ts'

// Node 24's fetch tunnels with CONNECT, 26's sends the absolute form: NODE_24 and NODE_26 may name further binaries to try
const nodes = [process.execPath, ...['NODE_24', 'NODE_26'].flatMap((name) => process.env[name] ?? [])]

const byFetch = `
const answers = await Promise.all([1, 2, 3].map((n) => fetch('http://echo/' + n)))
const posted = await fetch('http://echo/posted', { method: 'POST', body: 'x'.repeat(300000) })
for (const answer of [...answers, posted]) process.stdout.write(await answer.text())
`
const byHttp = `
import http from 'node:http'
for (const n of [1, 2, 3]) {
  await new Promise((done, failed) => http.get('http://echo/' + n, (answer) => {
    answer.pipe(process.stdout, { end: false })
    answer.on('end', done)
  }).on('error', failed))
}
`

describe('Node', () => {
  let echo: EchoMesh
  before(async () => {
    echo = await startEchoMesh()
  })
  after(() => echo.stop())

  const run = async (node: string, script: string): Promise<string[]> => {
    const args = ['--input-type=module', '-e', script]
    const { exitCode, stdout, stderr } = await runCommand(node, args, { env: echo.proxyEnv })
    assert.equal(exitCode, 0, stderr + stdout)
    return stdout.trim().split('\n')
  }

  for (const node of nodes) {
    it(`reaches a service with fetch (${node})`, async () => {
      const seen = (await run(node, byFetch)).map(parseEcho)
      assert.deepEqual(
        seen.map(({ path }) => path),
        ['/1', '/2', '/3', '/posted'],
      )
      assert.deepEqual([seen[3]?.method, seen[3]?.bodyBytes], ['POST', 300_000])
    })

    it(`reaches a service with http.get (${node})`, async () => {
      const seen = (await run(node, byHttp)).map(parseEcho)
      assert.deepEqual(
        seen.map(({ path, host }) => `${host}${path}`),
        ['echo/1', 'echo/2', 'echo/3'],
      )
    })
  }

  it('sends several requests through one CONNECT tunnel', async () => {
    const { socket } = await connect(echo.outboundProxy, 'echo:80')
    try {
      for (const path of ['/first', '/second']) assert.equal(parseEcho(await get(socket, path)).path, path)
    } finally {
      socket.destroy()
    }
  })
})

function connect(proxy: string, authority: string): Promise<{ socket: Socket }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(proxy)
    const request = httpRequest({ host: hostname, port, method: 'CONNECT', path: authority, agent: false })
    request.on('connect', (response: IncomingMessage, socket: Socket) => {
      if (response.statusCode === 200) resolve({ socket })
      else reject(new Error(`CONNECT answered ${response.statusCode}`))
    })
    request.on('error', reject).end()
  })
}

/** Written by hand: an agent would take the tunnel for its own after the first response. */
function get(socket: Socket, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onData = (bytes: Buffer): void => {
      text += bytes.toString()
      const body = /\r\n\r\n[^{]*(\{.*\}\n)/s.exec(text)?.[1]
      if (body === undefined) return
      socket.off('data', onData).off('error', reject)
      resolve(body)
    }
    socket.on('data', onData).on('error', reject)
    socket.write(`GET ${path} HTTP/1.1\r\nHost: echo\r\n\r\n`)
  })
}
