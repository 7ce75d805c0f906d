// What a proxy weighs: idle, with more workloads, with idle connections, and while a huge body goes to a slow reader.
import { connect, type Socket } from 'node:net'

import { residentKib } from './processes.ts'
import type { Serving } from './proxy-under-test.ts'
import type { Pace, Sample } from './works.ts'

const idleConnections = 2_000
const furtherWorkloads = 20
/** What a reader that now and then has something else to do takes at a time. */
const readerRests = { everyBytes: 16 << 20, forMs: 15 }

export async function measureMemory(serving: Serving, pace: Pace): Promise<Sample> {
  const weigh = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    return residentKib(serving.pids())
  }
  const idle = await weigh()
  const sample: Record<string, number> = { idle_kib: idle }
  let before = idle
  if (serving.addWorkloads !== undefined) {
    await serving.addWorkloads(furtherWorkloads)
    const after = await weigh()
    sample['per_workload_kib'] = (after - idle) / furtherWorkloads
    before = after
  }
  const sockets = await openIdle(serving.port)
  const connected = await weigh()
  sample['per_idle_connection_kib'] = (connected - before) / idleConnections
  for (const socket of sockets) socket.destroy()
  const rested = await weigh()
  const { mostKib, bytes, seconds } = await readSlowly(serving, pace.hugeBodyBytes)
  sample['huge_body_growth_kib'] = mostKib - rested
  sample['huge_body_mb_per_s'] = bytes / 1e6 / seconds
  sample['errors'] = bytes < pace.hugeBodyBytes ? 1 : 0
  return sample
}

/** Each has been served once and stays open. */
async function openIdle(port: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  const next = async (): Promise<void> => {
    while (sockets.length < idleConnections) {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true })
      sockets.push(socket)
      await new Promise<void>((resolve, reject) => {
        let text = ''
        socket.on('error', reject)
        socket.once('close', () => reject(new Error('the proxy closed an idle connection')))
        socket.on('data', (bytes) => {
          text += bytes.toString('latin1')
          if (!text.endsWith('"}')) return
          if (text.startsWith('HTTP/1.1 200')) resolve()
          else reject(new Error(text.split('\r\n')[0]))
        })
        socket.write('GET /api/v1/items/1 HTTP/1.1\r\nHost: app.example\r\n\r\n')
      })
    }
  }
  await Promise.all(Array.from({ length: 16 }, next))
  return sockets
}

async function readSlowly(
  serving: Serving,
  wanted: number,
): Promise<{ mostKib: number; bytes: number; seconds: number }> {
  const startedMs = performance.now()
  let mostKib = 0
  const weighing = setInterval(() => (mostKib = Math.max(mostKib, residentKib(serving.pids()))), 250)
  const bytes = await new Promise<number>((resolve) => {
    let received = 0
    let sinceRest = 0
    const buffer = Buffer.alloc(64 << 10)
    const socket = connect({
      host: '127.0.0.1',
      port: serving.port,
      onread: {
        buffer,
        callback: (length) => {
          received += length
          sinceRest += length
          if (received >= wanted) socket.destroy()
          if (sinceRest < readerRests.everyBytes) return true
          sinceRest = 0
          setTimeout(() => socket.resume(), readerRests.forMs)
          socket.pause()
          return true
        },
      },
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve(received))
    socket.write(`GET /api/bytes/${wanted} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n`)
  })
  clearInterval(weighing)
  return {
    mostKib: Math.max(mostKib, residentKib(serving.pids())),
    bytes,
    seconds: (performance.now() - startedMs) / 1_000,
  }
}
