// `heddle certs plaintext-callers` on a real mesh: who came without mutual TLS, and whether STRICT would break anybody.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, type Server } from 'node:net'
import { after, before, test } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

interface Answer {
  readonly strictWouldBreak: boolean
  readonly workloads: readonly {
    readonly workload: string
    readonly strictWouldBreak: boolean
    readonly ports: readonly {
      readonly port: number
      readonly callers: readonly {
        readonly address: string
        readonly workload?: string
        readonly connections: number
        readonly openConnections: number
        readonly requests: number
        readonly lastSeenMs: number
      }[]
    }[]
  }[]
}

let mesh: RunningMesh
let file = ''
const servers: Server[] = []

function workload(name: string, port: number, protocol: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, ports: [{ name: main, port: ${port}, appProtocol: ${protocol} }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: main, port: 7000, targetPort: main, appProtocol: ${protocol} }] }
`
}

const pages = (): Server => createServer((_, response) => response.end('page'))

before(async () => {
  const [page = 0, bytes = 0, quiet = 0] = await freePorts(3)
  for (const [port, server] of [
    [page, pages()],
    [bytes, greetingServer('ready')],
    [quiet, pages()],
  ] as const)
    servers.push(await listenOn(port, server))
  file = await meshFile(
    [
      'apiVersion: heddle.dev/v1alpha1\nkind: MeshConfig\nmetadata: { name: mesh }\nspec: { peerAuthentication: { mode: PERMISSIVE } }\n',
      'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: { name: client }\nspec: { address: 127.0.0.2 }\n',
      workload('page', page, 'http'),
      workload('bytes', bytes, 'tcp'),
      workload('quiet', quiet, 'http'),
    ].join('---\n'),
  )
  mesh = await startMesh({ files: [file], args: ['--workers', '2'] })
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers) server.close()
})

const inbound = (name: string): string => mesh.workload(name).inbound[0]?.address ?? ''

async function ask(): Promise<{ readonly exitCode: number; readonly answer: Answer }> {
  const args = ['certs', 'plaintext-callers', '-o', 'json', '--state-dir', mesh.stateDir]
  const { exitCode, stdout, stderr } = await runCommand('./heddle', args)
  assert.equal(stderr, '')
  return { exitCode, answer: JSON.parse(stdout) as Answer }
}

async function curl(address: string, ...args: string[]): Promise<void> {
  const { exitCode, stdout } = await runCommand('curl', ['-sS', '--max-time', '10', ...args, `http://${address}/`])
  assert.deepEqual([exitCode, stdout], [0, 'page'])
}

test('nobody came: STRICT would break nobody', async () => {
  for (const { name, address } of mesh.workload('client').services) if (name !== 'bytes') await curl(address)
  const { exitCode, answer } = await ask()
  assert.equal(exitCode, 0)
  assert.equal(answer.strictWouldBreak, false)
  assert.deepEqual(
    answer.workloads.map(({ workload: name, ports }) => [name, ports.map(({ callers }) => callers)]),
    ['bytes', 'page', 'quiet'].map((name) => [`default/${name}`, [[]]]),
  )
})

test('each caller in plaintext is listed, with its workload where its address is known', async () => {
  await curl(inbound('page'))
  for (const _ of [1, 2]) await curl(inbound('page'), '--interface', '127.0.0.2')
  const [host, port] = inbound('bytes').split(':') as [string, string]
  const socket = connect({ host, port: Number(port) })
  try {
    await eventually(async () => {
      const { exitCode, answer } = await ask()
      assert.equal(exitCode, 1)
      assert.equal(answer.strictWouldBreak, true)
      const seen = answer.workloads.map(({ workload: name, strictWouldBreak, ports }) => {
        const callers = ports[0]?.callers.map((caller) => {
          assert.ok(caller.lastSeenMs > 0)
          return [caller.address, caller.workload, caller.connections, caller.openConnections, caller.requests]
        })
        return [name, strictWouldBreak, callers?.toSorted()]
      })
      assert.deepEqual(seen, [
        ['default/bytes', true, [['127.0.0.1', undefined, 1, 1, 0]]],
        [
          'default/page',
          true,
          [
            ['127.0.0.1', undefined, 1, 0, 1],
            ['127.0.0.2', 'default/client', 2, 0, 2],
          ],
        ],
        ['default/quiet', false, []],
      ])
    }, 5_000)
    const { exitCode, stdout } = await runCommand('./heddle', [
      'certs',
      'plaintext-callers',
      '--state-dir',
      mesh.stateDir,
    ])
    assert.equal(exitCode, 1)
    assert.match(stdout, /default\/page +\d+ +127\.0\.0\.2 +default\/client +2 +2 +\S+ ago/)
    assert.match(stdout, /default\/bytes: STRICT would break callers/)
    assert.match(stdout, /default\/quiet: STRICT would break nobody who came since \S+ ago/)
  } finally {
    socket.destroy()
  }
})

test('under STRICT there is nothing to list', async () => {
  await writeFile(file, (await readFile(file, 'utf8')).replace('mode: PERMISSIVE', 'mode: STRICT'))
  await eventually(async () => {
    assert.deepEqual(await ask(), { exitCode: 0, answer: { strictWouldBreak: false, workloads: [] } })
  }, 5_000)
})

test('heddle certs itself shows certificates as before', async () => {
  const { exitCode, stdout } = await runCommand('./heddle', ['certs', '-o', 'json', '--state-dir', mesh.stateDir])
  assert.equal(exitCode, 0)
  assert.equal((JSON.parse(stdout) as unknown[]).length, 4)
})
