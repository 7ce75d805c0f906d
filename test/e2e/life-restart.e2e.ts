// A proxy is restarted under load, and killed: no request fails, no connection is refused, no stream is dropped.
import assert from 'node:assert/strict'
import { get } from 'node:http'
import { after, before, describe, test } from 'node:test'

import { send } from '../kit/http-client.ts'
import { Http2Caller, type Http2Ticks } from '../kit/http2-caller.ts'
import { isRunning } from '../kit/process-tree.ts'
import { rawClient } from '../kit/raw-client.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'
import { newestProxy, proxies, proxyPid, serverAddress, streamingMesh } from '../kit/streaming-mesh.ts'

describe('a mesh under load', () => {
  let mesh: RunningMesh
  let address = ''
  before(async () => {
    mesh = await startMesh({ files: [await streamingMesh()], args: ['--drain-deadline', '60'] })
    address = serverAddress(mesh)
  })
  after(() => mesh.stop())

  test('its proxy is restarted five times and nobody notices', async () => {
    await using kept = new SteadyLoad({ url: `http://${address}/kept`, connections: 8, pauseMs: 2 })
    await using fresh = new SteadyLoad({
      url: `http://${address}/fresh`,
      headers: { connection: 'close' },
      connections: 4,
      pauseMs: 2,
    })
    const chat = await rawClient(Number(address.split(':')[1]))
    chat.write(`GET /chat HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
    await chat.waitFor('101 Switching Protocols')
    const ticks = tickCounter(`http://${address}/ticks`)
    await eventually(() => assert.ok(ticks.count > 0), 5_000)
    const first = await proxyPid(mesh)
    for (let round = 1; round <= 5; round++) {
      const predecessor = await newestProxy(mesh)
      process.kill(mesh.pid, 'SIGUSR2')
      const successor = await eventually(async () => {
        const newest = await newestProxy(mesh)
        assert.match(mesh.output(), new RegExp(`goes on as process ${newest}\\b`))
        assert.notEqual(newest, predecessor)
        return newest
      }, 30_000)
      // traffic has moved: the new one counts it
      await eventually(async () => {
        const metrics = await send({ address: new URL(mesh.workload('server').metricsUrl).host, target: '/metrics' })
        assert.match(metrics.body, /heddle_requests_total\{[^\n]*\} [1-9]/)
      }, 10_000)
      chat.write(`round ${round};`)
      await chat.waitFor(`round ${round};`)
      assert.ok(await isRunning(successor))
      assert.ok(await isRunning(first), 'the process that carries the streams goes on')
    }
    const countBefore = ticks.count
    await eventually(() => assert.ok(ticks.count > countBefore + 3), 5_000)
    assert.equal(ticks.ended, undefined)
    const results = [await kept.stop(), await fresh.stop()]
    for (const { failures, ok } of results) {
      assert.deepEqual(failures, [])
      assert.ok(ok > 200, `${ok} requests`)
    }
    // a process leaves as soon as nothing is open in it
    chat.socket.destroy()
    ticks.stop()
    await eventually(async () => assert.equal((await proxies(mesh)).length, 1), 20_000)
  })

  test('a client of HTTP/2 keeps its streams through five restarts, and asks the successor', async () => {
    await using caller = new Http2Caller(`http://${address}`)
    caller.ask('/asked', 2)
    const streams: Http2Ticks[] = []
    for (let round = 1; round <= 5; round++) {
      const stream = caller.open('/ticks')
      streams.push(stream)
      await eventually(() => assert.ok(stream.count > 0), 5_000)
      const predecessor = await newestProxy(mesh)
      process.kill(mesh.pid, 'SIGUSR2')
      await eventually(async () => assert.notEqual(await newestProxy(mesh), predecessor), 30_000)
      // GOAWAY sends the client to the successor, which counts its requests
      await eventually(() => assert.equal(caller.connections, round + 1), 30_000)
      await eventually(async () => {
        const metrics = await send({ address: new URL(mesh.workload('server').metricsUrl).host, target: '/metrics' })
        assert.match(metrics.body, /heddle_requests_total\{[^\n]*\} [1-9]/)
      }, 10_000)
    }
    const counts = streams.map(({ count }) => count)
    for (const [n, stream] of streams.entries()) {
      await eventually(() => assert.ok(stream.count > (counts[n] ?? 0) + 3, `stream ${n} goes on`), 5_000)
      assert.equal(stream.ended, undefined)
      stream.stop()
    }
    await caller.stop()
    assert.deepEqual(caller.failures, [])
    assert.ok(caller.ok > 200, `${caller.ok} requests`)
    await eventually(async () => assert.equal((await proxies(mesh)).length, 1), 20_000)
  })

  test('a killed proxy keeps new callers waiting instead of refusing them', async () => {
    const killed = await proxyPid(mesh)
    process.kill(killed, 'SIGKILL')
    await eventually(async () => assert.ok(!(await isRunning(killed))), 5_000)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => send({ address, target: '/patient', headers: { connection: 'close' } })),
    )
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.notEqual(await proxyPid(mesh), killed)
  })

  test('a successor that dies before it is ready leaves the proxy as it was', async () => {
    const predecessor = await proxyPid(mesh)
    process.kill(mesh.pid, 'SIGUSR2')
    const successor = await eventually(async () => {
      const newest = await newestProxy(mesh)
      assert.notEqual(newest, predecessor)
      return newest
    }, 10_000)
    process.kill(successor, 'SIGKILL')
    await eventually(() => assert.match(mesh.output(), /is not restarted: its successor was ended by SIGKILL/), 10_000)
    await eventually(async () => assert.deepEqual(await proxies(mesh), [predecessor]), 10_000)
    assert.equal((await send({ address, target: '/' })).status, 200)
  })
})

test('proxies of one workload each restart one after the other, and the connections between them lose no request', async () => {
  const mesh = await startMesh({ files: [await streamingMesh()], args: ['--isolate', '--drain-deadline', '60'] })
  try {
    await using load = new SteadyLoad({
      url: `http://${serverAddress(mesh)}/`,
      method: 'POST',
      connections: 8,
      pauseMs: 2,
    })
    for (let round = 1; round <= 3; round++) {
      process.kill(mesh.pid, 'SIGUSR2')
      await eventually(() => {
        assert.equal([...mesh.output().matchAll(/goes on as process/g)].length, 2 * round)
      }, 30_000)
      const { ok } = load
      await eventually(() => assert.ok(load.ok > ok + 50), 10_000)
    }
    const { failures } = await load.stop()
    assert.deepEqual(failures, [])
  } finally {
    await mesh.stop()
  }
})

test('streams that outlive the deadline end with it', async () => {
  const mesh = await startMesh({ files: [await streamingMesh()], args: ['--drain-deadline', '1'] })
  try {
    const address = serverAddress(mesh)
    const ticks = tickCounter(`http://${address}/ticks`)
    await eventually(() => assert.ok(ticks.count > 0), 5_000)
    const predecessor = await proxyPid(mesh)
    process.kill(mesh.pid, 'SIGUSR2')
    await eventually(() => assert.notEqual(ticks.ended, undefined), 15_000)
    await eventually(async () => assert.ok(!(await proxies(mesh)).includes(predecessor)), 10_000)
    assert.equal((await send({ address, target: '/' })).status, 200)
  } finally {
    await mesh.stop()
  }
})

interface TickCounter {
  readonly count: number
  /** How the stream ended; undefined while it goes on. */
  readonly ended: string | undefined
  stop(): void
}

function tickCounter(url: string): TickCounter {
  let count = 0
  let ended: string | undefined
  const request = get(url, { agent: false }, (response) => {
    response.on('data', (bytes: Buffer) => (count += bytes.toString().split('data:').length - 1))
    response.on('error', (error) => (ended = error.message))
    response.on('end', () => (ended ??= 'end'))
  })
  request.on('error', (error) => (ended = error.message))
  return {
    get count() {
      return count
    },
    get ended() {
      return ended
    },
    stop: () => request.destroy(),
  }
}
