// Versions of HTTP in a running mesh: what the caller speaks, what travels between the sidecars, what the application gets.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { Server } from 'node:net'
import { after, before, describe, it } from 'node:test'

import type { DecisionRecord } from '../../src/contracts/decision-record.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { webSocketEcho } from '../kit/web-socket-echo.ts'

let mesh: RunningMesh
let file = ''
const servers: Server[] = []

function workload(name: string, port: number, protocol: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1, ports: [{ name: ${protocol}, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: ${protocol}, port: 80, targetPort: ${protocol} }] }
`
}

before(async () => {
  const [older = 0, newer = 0, chat = 0] = await freePorts(3)
  servers.push(
    await listenOn(
      older,
      createHttpServer(({ httpVersion }, response) => response.end(`HTTP/${httpVersion}`)),
    ),
    await listenOn(
      newer,
      createHttp2Server(({ httpVersion }, response) => response.end(`HTTP/${httpVersion}`)),
    ),
    await listenOn(chat, webSocketEcho('chat')),
  )
  const documents = [
    'apiVersion: heddle.dev/v1alpha1\nkind: MeshConfig\nmetadata: { name: mesh }\nspec: { h2UpgradePolicy: UPGRADE }\n',
    'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: { name: client }\nspec: { serviceAccount: client }\n',
    workload('older', older, 'http'),
    workload('newer', newer, 'http2'),
    workload('chat', chat, 'http'),
  ]
  file = await meshFile(documents.join('---\n'))
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers) server.close()
})

const listener = (name: string): string =>
  mesh.workload('client').services.find((service) => service.name === name)?.address ?? ''

const callers = {
  'HTTP/1.1': async (name: string): Promise<string> =>
    (await send({ address: listener(name), target: '/', headers: { host: name } })).body,
  'HTTP/2': async (name: string): Promise<string> => {
    const session = connectHttp2(`http://${listener(name)}`)
    let body = ''
    for await (const bytes of session.request({ ':path': '/', ':authority': name })) body += String(bytes)
    session.close()
    return body
  },
} as const

/** What the application was asked in, and what came to its sidecar. */
async function versions(name: string, caller: keyof typeof callers): Promise<{ application: string; link: string }> {
  const stop = new AbortController()
  const headers = { authorization: `Bearer ${mesh.state.adminToken}` }
  const tap = await fetch(`${mesh.workload(name).adminUrl}/tap`, { headers, signal: stop.signal })
  assert.equal(tap.status, 200)
  const application = await callers[caller](name)
  let text = ''
  for await (const bytes of tap.body ?? []) {
    text += Buffer.from(bytes).toString()
    if (text.includes('\n')) break
  }
  stop.abort()
  const record = JSON.parse(text.split('\n')[0] ?? '') as DecisionRecord
  assert.equal(record.mtls, true)
  return { application, link: record.request.protocol }
}

/** What comes back for each text, on one WebSocket. */
async function chatted(texts: readonly string[]): Promise<string[]> {
  const socket = new WebSocket(`ws://${listener('chat')}/room`)
  const heard: string[] = []
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('error', () => reject(new Error('the WebSocket failed')))
    socket.addEventListener('open', () => socket.send(texts[0] ?? ''))
    socket.addEventListener('message', ({ data }) => {
      heard.push(String(data))
      const next = texts[heard.length]
      if (next === undefined) resolve()
      else socket.send(next)
    })
  })
  socket.close()
  return heard
}

const h2load = spawnSync('h2load', ['--version']).status === 0
if (!h2load) console.error('NOT TESTED with h2load: install nghttp2-client')

describe('requests through two sidecars', () => {
  it('come from h2load, many at once', { skip: !h2load && 'nghttp2-client is not installed' }, async () => {
    for (const name of ['older', 'newer']) {
      const { stdout } = await runCommand('h2load', ['-n', '500', '-c', '4', '-m', '20', `http://${listener(name)}/`])
      assert.match(stdout, /requests: 500 total, 500 started, 500 done, 500 succeeded, 0 failed, 0 errored, 0 timeout/)
    }
  })

  it('become WebSockets', async () => {
    assert.deepEqual(await chatted(['one', 'two']), ['one', 'two'])
  })

  it('travel as HTTP/2 whatever the caller speaks, and arrive as the application speaks', async () => {
    for (const caller of ['HTTP/1.1', 'HTTP/2'] as const) {
      assert.deepEqual(await versions('older', caller), { application: 'HTTP/1.1', link: 'HTTP/2' })
      assert.deepEqual(await versions('newer', caller), { application: 'HTTP/2.0', link: 'HTTP/2' })
    }
  })

  it('travel as they came under DO_NOT_UPGRADE, which may be said while the mesh runs', async () => {
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace('h2UpgradePolicy: UPGRADE', 'h2UpgradePolicy: DO_NOT_UPGRADE'),
    )
    await eventually(async () => {
      assert.deepEqual(await versions('older', 'HTTP/1.1'), { application: 'HTTP/1.1', link: 'HTTP/1.1' })
    }, 5_000)
    assert.deepEqual(await versions('newer', 'HTTP/1.1'), { application: 'HTTP/2.0', link: 'HTTP/1.1' })
    assert.deepEqual(await chatted(['three']), ['three'])
    assert.deepEqual(await versions('older', 'HTTP/2'), { application: 'HTTP/1.1', link: 'HTTP/2' })
    assert.deepEqual(await versions('newer', 'HTTP/2'), { application: 'HTTP/2.0', link: 'HTTP/2' })
  })
})
