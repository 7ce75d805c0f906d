// Closed-loop load through Heddle's HTTP/1.1 path and through haproxy, in turns: `node bench/http1/run.ts [rounds] [seconds] [connections]`.
// Compare the ratios, not the numbers. Every request has headers of its own. The proxies have core 0, load and application core 1.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePorts, isListening } from '../../test/kit/free-ports.ts'

const [rounds = 3, seconds = 2, connections = 64] = process.argv.slice(2).map(Number)

interface Sample {
  readonly requestsPerSecond: number
  readonly cpuMicroseconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly errors: number
}

const body = 'x'.repeat(200)
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
)

function serveApplication(): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => bytes.includes('\r\n\r\n') && socket.write(answer))
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
    server.unref()
  })
}

/** One connection with one request at a time. */
class Caller {
  readonly socket: Socket
  readonly latenciesMs: number[] = []
  errors = 0
  #startMs = 0
  #received = ''
  #count = 0
  #stopped = false

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => this.#next())
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: string) => this.#onText(text))
    this.socket.on('error', () => this.errors++)
  }

  stop(): void {
    this.#stopped = true
    this.socket.destroy()
  }

  #next(): void {
    if (this.#stopped) return
    const id = `${this.#count++}-${Math.random()}`
    this.#startMs = performance.now()
    this.socket.write(
      `GET /items/${this.#count % 500}?q=${id} HTTP/1.1\r\nHost: app.example\r\nUser-Agent: bench\r\nAccept: */*\r\nX-Request-Id: ${id}\r\nX-Forwarded-Proto: http\r\n\r\n`,
    )
  }

  #onText(text: string): void {
    this.#received += text
    if (!this.#received.endsWith(body)) return
    if (!this.#received.startsWith('HTTP/1.1 200')) this.errors++
    this.#received = ''
    this.latenciesMs.push(performance.now() - this.#startMs)
    this.#next()
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number
}

function cpuSeconds(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9
}

async function measure(pid: number, port: number): Promise<Sample> {
  const callers = Array.from({ length: connections }, () => new Caller(port))
  await new Promise((resolve) => setTimeout(resolve, 500))
  for (const caller of callers) caller.latenciesMs.length = 0
  const [startMs, startCpu] = [performance.now(), cpuSeconds(pid)]
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
  const elapsedMs = performance.now() - startMs
  const cpu = cpuSeconds(pid) - startCpu
  for (const caller of callers) caller.stop()
  const all = callers.flatMap((caller) => caller.latenciesMs).toSorted((a, b) => a - b)
  return {
    requestsPerSecond: all.length / (elapsedMs / 1_000),
    cpuMicroseconds: (cpu * 1e6) / all.length,
    p50Ms: all[all.length >> 1] ?? Number.NaN,
    p99Ms: all[Math.floor(all.length * 0.99)] ?? Number.NaN,
    errors: callers.reduce((sum, caller) => sum + caller.errors, 0),
  }
}

async function start(command: string, args: readonly string[], port: number): Promise<ChildProcess> {
  const child = spawn('taskset', ['-c', '0', command, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  while (!(await isListening(port))) {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return child
}

const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
const children: ChildProcess[] = []
try {
  spawnSync('taskset', ['-cp', '1', `${process.pid}`])
  const application = await serveApplication()
  const [heddle, haproxy] = (await freePorts(2)) as [number, number]
  const configuration = join(folder, 'haproxy.cfg')
  writeFileSync(
    configuration,
    `global\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  http-reuse always\n` +
      `frontend f\n  bind 127.0.0.1:${haproxy}\n  default_backend b\nbackend b\n  server s 127.0.0.1:${application}\n`,
  )
  const candidates: { name: string; port: number; child: ChildProcess; samples: Sample[] }[] = []
  const add = async (name: string, port: number, command: string, args: readonly string[]): Promise<void> => {
    const child = await start(command, args, port)
    children.push(child)
    candidates.push({ name, port, child, samples: [] })
  }
  const proxy = join(import.meta.dirname, 'proxy.ts')
  await add('heddle', heddle, process.execPath, [proxy, `${heddle}`, `${application}`])
  if (spawnSync('haproxy', ['-v']).status === 0) await add('haproxy', haproxy, 'haproxy', ['-db', '-f', configuration])
  // Once for nothing: code is compiled, connections are opened.
  for (const { child, port } of candidates) await measure(child.pid as number, port)
  for (let round = 0; round < rounds; round++) {
    for (const { child, port, samples } of candidates) samples.push(await measure(child.pid as number, port))
  }
  console.log('proxy      req/s  cpu us/req  p50 ms  p99 ms  errors')
  for (const { name, samples } of candidates) {
    const of = (field: keyof Sample): number => median(samples.map((sample) => sample[field]))
    console.log(
      `${name.padEnd(8)} ${of('requestsPerSecond').toFixed(0).padStart(7)} ${of('cpuMicroseconds').toFixed(1).padStart(11)} ` +
        `${of('p50Ms').toFixed(2).padStart(7)} ${of('p99Ms').toFixed(2).padStart(7)} ${samples.reduce((sum, one) => sum + one.errors, 0)}`,
    )
  }
} finally {
  for (const child of children) child.kill()
  rmSync(folder, { recursive: true })
}
