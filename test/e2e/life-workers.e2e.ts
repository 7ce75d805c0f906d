// Several worker processes share the ports of one proxy, and look like one from outside.
import assert from 'node:assert/strict'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { get } from 'node:http'
import { after, before, describe, test } from 'node:test'

import { send, type WireResponse } from '../kit/http-client.ts'
import { Http2Caller } from '../kit/http2-caller.ts'
import { isRunning, processTree } from '../kit/process-tree.ts'
import { rawClient } from '../kit/raw-client.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'
import { serverAddress, streamingMesh } from '../kit/streaming-mesh.ts'

describe('a proxy of two workers', () => {
  let mesh: RunningMesh
  let address = ''
  before(async () => {
    mesh = await startMesh({ files: [await streamingMesh()], args: ['--workers', '2', '--drain-deadline', '20'] })
    address = serverAddress(mesh)
  })
  after(async () => {
    const pids = (await processTree(mesh.pid)).map(({ pid }) => pid)
    assert.equal(await mesh.stop(), 0)
    await eventually(async () => {
      for (const pid of pids) assert.ok(!(await isRunning(pid)), 'nothing is left')
    }, 5_000)
  })

  const admin = (path: string, token = mesh.state.adminToken): Promise<WireResponse> =>
    send({
      address: new URL(mesh.workload('server').adminUrl).host,
      target: path,
      headers: { authorization: `Bearer ${token}` },
    })
  const requests = async (): Promise<number> => {
    const { body } = await send({ address: new URL(mesh.workload('server').metricsUrl).host, target: '/metrics' })
    const counts = [...body.matchAll(/^heddle_requests_total\{.*reporter="destination".*\} (\d+)$/gm)]
    return counts.reduce((sum, [, count]) => sum + Number(count), 0)
  }

  test('spreads idle connections over both', async (t) => {
    const workers = await workerPids(mesh)
    const port = Number(address.split(':')[1])
    assert.equal((await tcpSockets(port, 'listening')).length, 2, 'each worker has a socket of its own')
    const clients = await Promise.all(Array.from({ length: 48 }, () => rawClient(port)))
    t.after(() => {
      for (const { socket } of clients) socket.destroy()
    })
    await eventually(async () => {
      const counts = await Promise.all(workers.map((pid) => connectionsAt(pid, port)))
      assert.ok(
        counts.every((count) => count >= 8),
        counts.join(),
      )
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        48,
      )
    }, 5_000)
  })

  test('counts as one', async () => {
    assert.equal((await workerPids(mesh)).length, 2)
    await using load = new SteadyLoad({
      url: `http://${address}/`,
      headers: { connection: 'close' },
      connections: 8,
      pauseMs: 1,
    })
    await eventually(() => assert.ok(load.ok >= 200), 10_000)
    const { failures, ok } = await load.stop()
    assert.deepEqual(failures, [])
    await eventually(async () => assert.equal(await requests(), ok), 5_000)
  })

  test('its admin API answers for both', async () => {
    assert.equal((await admin('/ready')).status, 200)
    assert.equal((await admin('/listeners', 'wrong')).status, 401)
    const listeners = JSON.parse((await admin('/listeners')).body) as { state: string }[]
    assert.ok(listeners.length > 0 && listeners.every(({ state }) => state === 'listening'))
    const certificates = JSON.parse((await admin('/certs')).body) as unknown[]
    assert.equal(certificates.length, 1)
    const clusters = JSON.parse((await admin('/clusters')).body) as Record<string, unknown>
    assert.ok(Object.keys(clusters).length > 0)
  })

  test('a tap shows the requests of both', async (t) => {
    let records = ''
    const tap = get(
      `${mesh.workload('server').adminUrl}/tap`,
      { agent: false, headers: { authorization: `Bearer ${mesh.state.adminToken}` } },
      (response) => response.on('data', (bytes: Buffer) => (records += bytes.toString())),
    )
    t.after(() => tap.destroy())
    tap.on('error', () => {})
    await new Promise((resolve) => tap.once('response', resolve))
    await eventually(async () => {
      const sent = await callers(address, 16)
      assert.ok(sent.every(({ status }) => status === 200))
      assert.ok(records.split('\n').length > 16, records)
    }, 5_000)
  })

  test('a worker that dies comes back, and no one is refused', async () => {
    for (const killed of await workerPids(mesh)) {
      process.kill(killed, 'SIGKILL')
      await eventually(async () => assert.ok(!(await isRunning(killed))), 5_000)
      // connections that the other worker has kept are gone, which costs nobody; new ones wait for the next worker, as long as a
      // connection may take
      for (const { status, body } of await callers(address, 24)) {
        assert.ok(status === 200 || body.includes('could not connect'), body)
      }
      for (const { status, body } of await callers(address, 24)) assert.equal(status, 200, body)
      await eventually(async () => {
        const pids = await workerPids(mesh)
        assert.equal(pids.length, 2)
        assert.ok(!pids.includes(killed))
      }, 10_000)
    }
  })

  test('is restarted under load, and nobody notices', async (t) => {
    await using load = new SteadyLoad({ url: `http://${address}/`, connections: 8, pauseMs: 2 })
    await using fresh = new SteadyLoad({
      url: `http://${address}/`,
      headers: { connection: 'close' },
      connections: 4,
      pauseMs: 2,
    })
    // both workers have died before, and are others now
    const streaming = Array.from({ length: 4 }, () => new Http2Caller(`http://${address}`))
    t.after(() => Promise.all(streaming.map((caller) => caller.stop())))
    const streams = streaming.map((caller) => caller.open('/ticks'))
    await eventually(() => assert.ok(streams.every(({ count }) => count > 0)), 5_000)
    const predecessors = await workerPids(mesh)
    process.kill(mesh.pid, 'SIGUSR2')
    await eventually(() => assert.match(mesh.output(), /goes on as process/), 30_000)
    for (const counted of [load, fresh].map((one) => ({ one, ok: one.ok }))) {
      await eventually(() => assert.ok(counted.one.ok > counted.ok + 100), 30_000)
    }
    const counts = streams.map(({ count }) => count)
    for (const [n, stream] of streams.entries()) {
      await eventually(() => assert.ok(stream.count > (counts[n] ?? 0) + 3, `stream ${n} goes on`), 5_000)
      assert.equal(stream.ended, undefined)
      stream.stop()
    }
    for (const { failures } of [await load.stop(), await fresh.stop()]) assert.deepEqual(failures, [])
    await eventually(async () => {
      const pids = await workerPids(mesh)
      assert.equal(pids.length, 2)
      assert.ok(pids.every((pid) => !predecessors.includes(pid)))
    }, 30_000)
  })
})

async function workerPids(mesh: RunningMesh): Promise<number[]> {
  const tree = (await processTree(mesh.pid)).filter(({ command }) => command.includes('proxy'))
  return tree.filter(({ parent }) => parent !== mesh.pid).map(({ pid }) => pid)
}

function callers(address: string, count: number): Promise<WireResponse[]> {
  return Promise.all(
    Array.from({ length: count }, () => send({ address, target: '/', headers: { connection: 'close' } })),
  )
}

/** Established ones that this process has accepted on that port. */
async function connectionsAt(pid: number, port: number): Promise<number> {
  const sockets = await tcpSockets(port, 'established')
  const files = await readdir(`/proc/${pid}/fd`)
  const targets = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')))
  return targets.filter((target) => sockets.includes(target)).length
}

/** With that port at the near end, as Linux tells of them. */
async function tcpSockets(port: number, state: 'established' | 'listening'): Promise<string[]> {
  const code = state === 'established' ? '01' : '0A'
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/))
  return lines
    .filter(([, local = '', , is]) => is === code && Number.parseInt(local.split(':')[1] ?? '', 16) === port)
    .map((fields) => `socket:[${fields[9]}]`)
}
