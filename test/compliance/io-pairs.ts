// Connections of an I/O back end in pairs, and what happened on each: what its compliance suite is made of.
import assert from 'node:assert/strict'

import type {
  Connection,
  ConnectionHandler,
  IoBackend,
  MeshTls,
  ServerSocket,
  ServerTls,
} from '../../src/proxy/io/connection.ts'
import { testAuthority, type TestAuthority } from '../kit/svids.ts'

export const host = '127.0.0.1'
export const web = 'spiffe://mesh.local/ns/default/sa/web'
export const reviews = 'spiffe://mesh.local/ns/default/sa/reviews'

export const bytesOf = (text: string): Buffer => Buffer.from(text)

/** Remembers everything that happens on a connection. */
export class Recorder implements ConnectionHandler {
  readonly connection: Connection
  readonly chunks: Buffer[] = []
  readonly events: string[] = []
  error: Error | undefined
  drains = 0
  /** A call into the connection is under way: nothing may come back now. */
  calling = false

  constructor(connection: Connection) {
    this.connection = connection
    this.call(() => (connection.handler = this))
  }

  call<T>(action: () => T): T {
    this.calling = true
    try {
      return action()
    } finally {
      this.calling = false
    }
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  onData(bytes: Uint8Array): void {
    this.#happened('data')
    this.chunks.push(Buffer.from(bytes))
  }

  onEnd(): void {
    this.#happened('end')
  }

  onClose(error: Error | undefined): void {
    this.error = error
    this.#happened('close')
  }

  onDrain(): void {
    this.drains++
    this.#happened('drain')
  }

  #happened(event: string): void {
    assert.equal(this.calling, false, `${event} inside a call`)
    if (this.events.at(-1) !== event) this.events.push(event)
  }
}

export interface Pair {
  readonly near: Recorder
  readonly far: Recorder
}

/** Pairs of one back end. */
export class IoPairs {
  readonly io: IoBackend
  readonly authority: TestAuthority = testAuthority()
  readonly open: Connection[] = []
  readonly sockets: ServerSocket[] = []
  readonly near: MeshTls
  readonly far: ServerTls

  constructor(io: IoBackend) {
    this.io = io
    const alpn = ['http/1.1']
    this.near = { kind: 'mesh', credentials: this.authority.issue(web), peerSpiffeIds: [reviews], alpn }
    this.far = { credentials: this.authority.issue(reviews), clientCertificate: 'required', alpn }
  }

  async close(): Promise<void> {
    for (const connection of this.open.splice(0)) connection.destroy()
    await Promise.all(this.sockets.splice(0).map((socket) => socket.close()))
  }

  async accept(): Promise<{ port: number; accepted: Promise<Connection> }> {
    let resolve: (connection: Connection) => void
    const accepted = new Promise<Connection>((done) => (resolve = done))
    const socket = await this.io.listen({ host, port: 0 }, (connection) => {
      this.open.push(connection)
      resolve(connection)
    })
    this.sockets.push(socket)
    return { port: socket.address.port, accepted }
  }

  async plain(): Promise<Pair> {
    const { port, accepted } = await this.accept()
    const near = await this.io.connect({ host, port, timeoutMs: 1_000 })
    this.open.push(near)
    return { near: new Recorder(near), far: new Recorder(await accepted) }
  }

  async secured(): Promise<Pair> {
    const { port, secured } = await this.acceptSecured(this.far)
    const near = await this.io.connect({ host, port, timeoutMs: 2_000, tls: this.near })
    const far = await secured
    this.open.push(near, far)
    return { near: new Recorder(near), far: new Recorder(far) }
  }

  /** As detection does: something is read first, and handed on. */
  async acceptSecured(tls: ServerTls, timeoutMs = 2_000): Promise<{ port: number; secured: Promise<Connection> }> {
    const { port, accepted } = await this.accept()
    const secured = accepted.then(async (connection) => {
      const head = await new Promise<Buffer>((resolve) => {
        const recorder = new Recorder(connection)
        recorder.onData = (bytes) => resolve(Buffer.from(bytes))
      })
      return this.io.secure(connection, head, tls, timeoutMs)
    })
    // Whoever waits for it hears of it; the others need not.
    secured.catch(() => {})
    return { port, secured }
  }
}
