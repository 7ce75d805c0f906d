// Bad input on a real mesh under load: each gets a clear error with what to do, and nothing that worked stops working.
import assert from 'node:assert/strict'
import { readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { send } from '../kit/http-client.ts'
import { markedMesh } from '../kit/marked-mesh.ts'
import { processTree, type ProcessInfo } from '../kit/process-tree.ts'
import { rawClient } from '../kit/raw-client.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname
const patienceMs = 15_000

let mesh: RunningMesh
let file = ''
/** The file as it should be. */
let good = ''
/** "127.0.0.1:N" of the client's listener for the Service `echo`. */
let echoAddress = ''
let gatewayPort = 0
let origin: Server
/** All that the application `origin` received. */
let originSaw = ''

before(async () => {
  origin = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      originSaw += bytes.toString('latin1')
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  const [originPort = 0, port = 0] = await freePorts(2)
  gatewayPort = port
  await new Promise<void>((resolve) => origin.listen(originPort, '127.0.0.1', resolve))
  file = await markedMesh({ documents: originDocuments(originPort, gatewayPort) })
  good = await readFile(file, 'utf8')
  mesh = await startMesh({ files: [file] })
  echoAddress = serviceAddress('echo')
})

after(async () => {
  await mesh.stop()
  origin.close()
  await rm(dirname(file), { recursive: true, force: true })
})

describe('documents', () => {
  const cases: Record<string, { edit: (text: string) => string; at: string; says: RegExp; refused: boolean }> = {
    'an unknown field': {
      edit: (text) => text.replace('[{name: echo, port: 80}]', '[{name: echo, port: 80, weigth: 1}]'),
      at: 'weigth',
      says: /error HDL004: unknown field "weigth".*"weight"/,
      refused: true,
    },
    'a wrong type': {
      edit: (text) => text.replace('[{name: echo, port: 80}]', '[{name: echo, port: eighty}]'),
      at: 'eighty',
      says: /error HDL005: .*number.*"eighty"/,
      refused: true,
    },
    'a name that is there already': {
      edit: (text) =>
        `${text}---\napiVersion: v1\nkind: Service\nmetadata: {name: echo}\nspec: {ports: [{port: 81}]}\n`,
      at: 'echo}\nspec: {ports: [{port: 81',
      says: /error HDL007: /,
      refused: false,
    },
    'a reference to nothing': {
      edit: (text) => `${text}---${route('dangling', '/dangling', 'ecco')}`,
      at: 'ecco',
      says: /error HDL008: .*ecco.*"echo"/,
      refused: false,
    },
  }
  for (const [what, { edit, at, says, refused }] of Object.entries(cases)) {
    test(`${what} is said with its place and the way out, and the last good version serves on`, async () => {
      const bad = edit(refused ? good.replace('value: first', 'value: bad') : good)
      await underLoad(['first'], async () => {
        await save(bad)
        const place = `${file}:${lineAndColumn(bad, at)}: `
        await eventually(async () => {
          const { exitCode, stdout } = await heddle('analyze')
          assert.match(stdout, says)
          assert.ok(stdout.includes(place), `${place} in ${stdout}`)
          assert.equal(exitCode, 1)
        }, patienceMs)
        const [checked, got] = await Promise.all([heddle('check'), heddle('get', 'httproute', 'echo', '-o', 'yaml')])
        assert.equal(checked.exitCode, 1)
        assert.match(checked.stdout, says)
        if (refused) assert.match(got.stdout, /the last good version is in force/)
      })
      await mend(`after-${at.slice(0, 4)}`)
    })
  }

  test('the last good version outlives the control plane', async () => {
    await save(good.replace('[{name: echo, port: 80}]', '[{name: echo, port: eighty}]'))
    await eventually(async () => assert.match((await heddle('analyze')).stdout, /error HDL005/), patienceMs)
    const pid = (await controlPlane())?.pid ?? assert.fail('there is none')
    process.kill(pid, 'SIGKILL')
    await eventually(async () => {
      const next = await controlPlane()
      assert.ok(next !== undefined && next.pid !== pid)
      assert.match((await heddle('get', 'httproute', 'echo', '-o', 'yaml')).stdout, /the last good version is in force/)
    }, patienceMs)
    assert.equal(await generation(), 'first')
    await mend('after-restart')
  })

  test('a half-written file changes nothing until it is whole', async () => {
    const marked = good.replace('value: first', 'value: whole')
    await underLoad(['first', 'whole'], async () => {
      await writeFile(file, marked.slice(0, marked.indexOf('rules:') + 3))
      await eventually(async () => assert.match((await heddle('analyze')).stdout, /error HDL00\d/), patienceMs)
      assert.equal(await generation(), 'first')
      assert.equal((await mesh.reload()).workloads.length, mesh.state.workloads.length)
      await writeFile(file, marked)
      await eventually(async () => assert.equal(await generation(), 'whole'), patienceMs)
    })
    await mend('half')
  })

  const unreadable: Record<string, () => Promise<void>> = {
    'is not text': () => writeFile(file, Buffer.concat([Buffer.from(good), Buffer.from([0xc3, 0x28])])),
    'cannot be opened': async () => {
      // at once: for a moment without the file its documents would be gone
      await symlink(file, `${file}.loop`)
      await rename(`${file}.loop`, file)
    },
    'is empty': () => writeFile(file, ''),
  }
  for (const [what, spoil] of Object.entries(unreadable)) {
    test(`a file that ${what} takes nothing out of force`, async () => {
      await underLoad(['first'], async () => {
        await spoil()
        await eventually(
          async () => assert.match((await heddle('analyze')).stdout, /mesh\.yaml:1:1: \w+ HDL00[12]: /),
          patienceMs,
        )
        assert.equal(await generation(), 'first')
      })
      await mend(what.replaceAll(' ', '-'))
    })
  }
})

test("a gateway's port that another process has is said, and taken once it is free", async () => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => squatter.once('listening', resolve))
  const { port } = squatter.address() as AddressInfo
  await underLoad(['first'], async () => {
    await save(`${good}---${gateway('second', port, 'echo')}`)
    await eventually(async () => {
      const { exitCode, stdout } = await heddle('check')
      assert.match(
        stdout,
        new RegExp(`Gateway/default/second: error HDL011: .*127.0.0.1:${port}.*stop what listens there`),
      )
      assert.equal(exitCode, 1)
    }, patienceMs)
    assert.equal((await send({ address: `127.0.0.1:${gatewayPort}`, target: '/' })).status, 200)
    squatter.close()
    await eventually(async () => {
      assert.equal((await send({ address: `127.0.0.1:${port}`, target: '/' })).status, 200)
      assert.match((await heddle('analyze')).stdout, /no problems found/)
    }, patienceMs)
  })
  await mend('port')
})

test('an application that crashes and one that never listens are said to fail, with their last words', async () => {
  const [crash = 0, deaf = 0] = await freePorts(2)
  await underLoad(['first'], async () => {
    await save(
      `${good}---${application('crash', crash, "console.error('no database'); process.exit(3)")}---${application('deaf', deaf, 'setInterval(() => {}, 1000)')}`,
    )
    await eventually(async () => {
      const { stdout } = await heddle('analyze')
      assert.match(stdout, /Workload\/default\/crash: error HDL014: exited with status 3[\s\S]*\| no database/)
      assert.match(stdout, new RegExp(`Workload/default/deaf: error HDL014: .*does not listen on 127.0.0.1:${deaf}`))
    }, patienceMs + 10_000)
  })
  await mend('applications')
})

describe('bytes that are no acceptable request', () => {
  const heads: Record<string, { status: number; fields: string }> = {
    'an oversized head': { status: 431, fields: `X-Big: ${'a'.repeat(200_000)}` },
    'both framings': { status: 400, fields: 'Content-Length: 5\r\nTransfer-Encoding: chunked' },
    'two lengths': { status: 400, fields: 'Content-Length: 5\r\nContent-Length: 50' },
    'an encoding that is not chunked last': { status: 400, fields: 'Transfer-Encoding: chunked, gzip' },
  }
  const ways: Record<string, { port: () => number; target: string; tunnel: boolean }> = {
    'a gateway': { port: () => gatewayPort, target: '/origin', tunnel: false },
    'the outbound proxy': { port: outboundPort, target: 'http://origin/', tunnel: false },
    'a tunnel through it': { port: outboundPort, target: '/', tunnel: true },
    'a service listener': { port: () => Number(serviceAddress('origin').split(':')[1]), target: '/', tunnel: false },
  }
  for (const [way, { port, target, tunnel }] of Object.entries(ways)) {
    test(`are answered and the connection closed by ${way}; the application sees nothing`, async () => {
      await underLoad(['first'], async () => {
        assert.match(await exchange(port(), target, tunnel, 'Connection: close'), /HTTP\/1\.1 200 OK/i)
        const sawBefore = originSaw
        for (const [what, { status, fields }] of Object.entries(heads)) {
          const answer = await exchange(port(), target, tunnel, fields)
          assert.match(answer, new RegExp(`HTTP/1\\.1 ${status} `), what)
        }
        assert.equal(originSaw, sawBefore)
      })
    })
  }
})

test('plaintext to a workload is refused and counted by default, and let in by PERMISSIVE', async () => {
  const { inbound, metricsUrl } = mesh.workload('echo-1')
  const address = inbound[0]?.address ?? ''
  await underLoad(['first'], async () => {
    await assert.rejects(send({ address, target: '/' }))
    const metrics = await (await fetch(metricsUrl)).text()
    assert.match(metrics, /^heddle_downstream_refused_total\{[^}]*reason="plaintext[^}]*\} 1$/m)
    await save(
      `${good}---\napiVersion: heddle.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: mesh}\nspec: {peerAuthentication: {mode: PERMISSIVE}}\n`,
    )
    await eventually(async () => assert.equal((await send({ address, target: '/' })).status, 200), patienceMs)
    await save(good)
    // on the connection that is open from before; a new one is refused as ever
    await eventually(async () => assert.equal((await send({ address, target: '/' })).status, 403), patienceMs)
    const plaintext = await rawClient(Number(address.split(':')[1]))
    plaintext.write('GET / HTTP/1.1\r\nHost: echo\r\n\r\n')
    assert.equal(await plaintext.closed(), '')
    plaintext.socket.destroy()
  })
})

/** Runs `body` while requests go through the mesh: none fails, none gets an answer of a version that should not be in force, no connection drops. */
async function underLoad(generations: readonly string[], body: () => Promise<void>): Promise<void> {
  await using load = new SteadyLoad({
    url: `http://${echoAddress}/`,
    connections: 4,
    pauseMs: 10,
    check: (headers) => {
      const version = String(headers['x-generation'])
      return generations.includes(version) ? undefined : `generation ${version}`
    },
  })
  try {
    await body()
  } finally {
    const result = await load.stop()
    assert.deepEqual(result.failures, [])
    assert.ok(result.ok > 0)
    assert.equal(result.connectionsOpened, 4)
  }
}

/** The file is right again: the correction comes into force, and nothing is wrong any more. */
async function mend(marker: string): Promise<void> {
  await save(good.replace('value: first', `value: ${marker}`))
  await eventually(async () => assert.equal(await generation(), marker), patienceMs)
  await eventually(async () => assert.match((await heddle('analyze')).stdout, /no problems found/), patienceMs)
  await save(good)
  await eventually(async () => assert.equal(await generation(), 'first'), patienceMs)
}

/** As editors do. */
async function save(text: string): Promise<void> {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}

async function controlPlane(): Promise<ProcessInfo | undefined> {
  return (await processTree(mesh.pid)).find(({ command }) => command.includes('control-plane'))
}

async function generation(): Promise<string | undefined> {
  return (await send({ address: echoAddress, target: '/' })).headers['x-generation']
}

function heddle(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(launcher, [...args, '--state-dir', mesh.stateDir])
}

function serviceAddress(name: string): string {
  const found = mesh.workload('client').services.find((service) => service.name === name)
  assert.ok(found !== undefined, `a listener for ${name}`)
  return found.address
}

function outboundPort(): number {
  return Number(new URL(mesh.workload('client').outboundProxy).port)
}

/** Everything that came back until the proxy closed the connection. */
async function exchange(port: number, target: string, tunnel: boolean, fields: string): Promise<string> {
  const client = await rawClient(port)
  if (tunnel) {
    client.write('CONNECT origin:80 HTTP/1.1\r\nHost: origin:80\r\n\r\n')
    await client.waitFor('\r\n\r\n')
  }
  const established = client.received().length
  client.write(`POST ${target} HTTP/1.1\r\nHost: origin\r\n${fields}\r\n\r\n`)
  const answer = (await client.closed()).slice(established)
  client.socket.destroy()
  return answer
}

function lineAndColumn(text: string, part: string): string {
  const lines = text.slice(0, text.indexOf(part)).split('\n')
  return `${lines.length}:${(lines.at(-1) ?? '').length + 1}`
}

function originDocuments(port: number, gatewayAt: number): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: {name: origin, labels: {app: origin}}
spec:
  serviceAccount: origin
  ports: [{name: http, port: ${port}}]
---
apiVersion: v1
kind: Service
metadata: {name: origin}
spec:
  selector: {app: origin}
  ports: [{name: http, port: 80, targetPort: http}]
---${gateway('public', gatewayAt, 'origin')}`
}

function gateway(name: string, port: number, service: string): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}}
spec:
  gatewayClassName: heddle
  listeners: [{name: http, port: ${port}, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}}
spec:
  parentRefs: [{name: ${name}}]
  rules: [{backendRefs: [{name: ${service}, port: 80}]}]
`
}

function route(name: string, path: string, service: string): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}}
spec:
  parentRefs: [{group: "", kind: Service, name: echo}]
  rules: [{matches: [{path: {value: ${path}}}], backendRefs: [{name: ${service}, port: 80}]}]
`
}

function application(name: string, port: number, script: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: {name: ${name}}
spec:
  ports: [{name: http, port: ${port}}]
  command: [node, -e, ${JSON.stringify(script)}]
`
}
