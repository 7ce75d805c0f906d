// A Connection on a raw TCP handle, or on a TLS handle around one.
import type {
  AddressOut,
  ShutdownRequest,
  StreamBindings,
  StreamHandle,
  TcpHandle,
  TlsHandle,
  WriteRequest,
} from '../../core/stream-bindings.ts'
import type { Connection, ConnectionHandler, TlsInfo } from './connection.ts'
import type { OutputBuffer } from './output-buffer.ts'
import { endOfFile, notConnected, systemError } from './system-error.ts'

const readBytes = 65_536
/** Above it `write` returns false. */
const highWaterBytes = 65_536
/** Copying so much is cheaper than taking other memory. */
const cheapCopyBytes = 4_096

const unheard: ConnectionHandler = { onData() {}, onEnd() {}, onClose() {}, onDrain() {} }
const noAddress: AddressOut = {}

/** What the connections of a back end share. */
export class RawIo {
  readonly bindings: StreamBindings
  /** One buffer serves every connection: a read is consumed before the next one starts. */
  readonly readBuffer: Uint8Array = new Uint8Array(new ArrayBuffer(readBytes))
  /** Takes what was read by one connection and goes out by another: other reads go on while the kernel still takes it. */
  lentMemory: Uint8Array = new Uint8Array(readBytes)
  /** Serves every write that the kernel takes at once. */
  spareWrite: WriteRequest

  constructor(bindings: StreamBindings) {
    this.bindings = bindings
    this.spareWrite = new bindings.WriteWrap()
  }
}

export class RawConnection implements Connection {
  readonly #io: RawIo
  readonly #tcp: TcpHandle
  /** Around #tcp once the connection is secured. */
  #tls: TlsHandle | undefined
  #tlsInfo: TlsInfo | undefined
  #handler: ConnectionHandler = unheard
  #listening = false
  #paused = false
  /** The handle reads; starting twice is an error. */
  #reading = false
  #closed = false
  /** Closed, and the handler has heard of it. */
  #gone = false
  /** No write is accepted any more. */
  #ending = false
  /** Our end is on its way, or has arrived. */
  #shutdown = false
  #ended = false
  #peerEnded = false
  /** `write` has returned false and nothing drained since. */
  #full = false
  /** Bytes given to libuv or waiting here. */
  #outstanding = 0
  /** TLS takes one write at a time; what came meanwhile. */
  #writing = false
  #waiting: Uint8Array[] | undefined
  /** TLS hands out all it has decrypted, paused or not. */
  #held: Uint8Array[] | undefined
  #heldEnd = 0
  #error: Error | undefined
  #remote: AddressOut | undefined
  #local: AddressOut | undefined

  constructor(io: RawIo, tcp: TcpHandle) {
    this.#io = io
    this.#tcp = tcp
    tcp.owner = this
    tcp.onread = onRead
    tcp.useUserBuffer(io.readBuffer)
  }

  get handler(): ConnectionHandler {
    return this.#handler
  }

  set handler(handler: ConnectionHandler) {
    this.#handler = handler
    if (this.#listening) return
    this.#listening = true
    // Closed before anybody listened: say it again.
    if (this.#gone) queueMicrotask(() => this.#handler.onClose(this.#error))
    else this.#startReading()
  }

  get remoteAddress(): string {
    return (this.#remote ??= this.#address('getpeername')).address ?? ''
  }

  get remotePort(): number {
    return (this.#remote ??= this.#address('getpeername')).port ?? 0
  }

  get localAddress(): string {
    return (this.#local ??= this.#address('getsockname')).address ?? ''
  }

  get localPort(): number {
    return (this.#local ??= this.#address('getsockname')).port ?? 0
  }

  get tls(): TlsInfo | undefined {
    return this.#tlsInfo
  }

  get closed(): boolean {
    return this.#closed
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed || this.#ending || bytes.length === 0) return !this.#full || this.#closed
    if (this.#tls === undefined) this.#send(bytes)
    else this.#sendSecured(bytes)
    return this.#mayGoOn()
  }

  writeFrom(output: OutputBuffer): boolean {
    if (this.#closed || this.#ending || output.used === 0) {
      output.clear()
      return !this.#full || this.#closed
    }
    const bytes = output.bytes.subarray(0, output.used)
    if (this.#tls === undefined) {
      if (this.#send(bytes)) output.clear()
      else output.giveAway()
    } else if (!this.#writing) {
      // TLS reads the memory during the call only.
      this.#sendSecured(bytes)
      output.clear()
    } else if (bytes.length <= cheapCopyBytes) {
      this.#sendSecured(Buffer.from(bytes))
      output.clear()
    } else {
      this.#sendSecured(bytes)
      output.giveAway()
    }
    return this.#mayGoOn()
  }

  writeLent(bytes: Uint8Array): boolean {
    if (this.#closed || this.#ending) return !this.#full || this.#closed
    const io = this.#io
    if (this.#tls !== undefined) {
      // TLS reads the memory during the call only, unless it is busy with another write.
      this.#sendSecured(this.#writing ? bytes.slice() : bytes)
    } else {
      io.lentMemory.set(bytes)
      if (!this.#send(io.lentMemory.subarray(0, bytes.length))) io.lentMemory = new Uint8Array(readBytes)
    }
    return this.#mayGoOn()
  }

  end(): void {
    if (this.#closed || this.#ending) return
    this.#ending = true
    if (!this.#writing) this.#shutDown()
  }

  destroy(error?: Error): void {
    this.#close(error, error !== undefined)
  }

  pause(): void {
    this.#paused = true
    this.#stopReading()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#listening) this.#startReading()
  }

  /** TLS takes the handle over: nothing is read or written here until it is `secured`. `onGone`: it was closed before. */
  lend(onGone: (error: Error) => void): TcpHandle {
    this.#stopReading()
    this.#listening = false
    this.#handler = { ...unheard, onClose: (error) => onGone(error ?? new Error('closed during the TLS handshake')) }
    return this.#tcp
  }

  wrapped(tls: TlsHandle): void {
    this.#tls = tls
  }

  secured(info: TlsInfo): void {
    const tls = this.#tls as TlsHandle
    this.#tlsInfo = info
    this.#handler = unheard
    Object.assign(tls, { owner: this, onread: onRead, onerror: onTlsError })
    tls.useUserBuffer(this.#io.readBuffer)
    // The handshake has read until now.
    tls.readStop()
  }

  get #stream(): StreamHandle {
    return this.#tls ?? this.#tcp
  }

  #startReading(): void {
    if (this.#closed) return
    if (this.#held !== undefined || this.#heldEnd !== 0) queueMicrotask(() => this.#release())
    else this.#read()
  }

  #read(): void {
    if (this.#reading || this.#peerEnded) return
    this.#reading = true
    const status = this.#stream.readStart()
    if (status !== 0) this.#close(systemError(status, 'read'), false)
  }

  #stopReading(): void {
    if (this.#closed || !this.#reading) return
    this.#reading = false
    this.#stream.readStop()
  }

  /** Hands over what came while nobody read. */
  #release(): void {
    const held = this.#held ?? []
    while (held.length > 0) {
      if (this.#closed || this.#paused) return
      this.#handler.onData(held.shift() as Uint8Array)
    }
    this.#held = undefined
    if (this.#closed || this.#paused) return
    const end = this.#heldEnd
    this.#heldEnd = 0
    if (end === 0) this.#read()
    else this.#receivedEnd(end)
  }

  /** Of the handle: the shared buffer holds what came, or there will be no more. */
  received(): void {
    const { bindings } = this.#io
    const count = bindings.state[bindings.readBytesOrError] as number
    if (this.#closed || count === 0) return
    const idle = !this.#listening || this.#paused || this.#held !== undefined
    if (count < 0) {
      if (idle) this.#heldEnd = count
      else this.#receivedEnd(count)
      return
    }
    const bytes = this.#io.readBuffer.subarray(0, count)
    if (idle) (this.#held ??= []).push(bytes.slice())
    else this.#handler.onData(bytes)
  }

  #receivedEnd(status: number): void {
    if (status !== endOfFile) {
      this.#close(systemError(status, 'read'), false)
      return
    }
    this.#peerEnded = true
    this.#handler.onEnd()
    if (this.#ended) this.#close(undefined, false)
  }

  failed(error: Error): void {
    this.#close(error, false)
  }

  /** True: the kernel has taken it all, and the memory is free again. */
  #send(bytes: Uint8Array): boolean {
    const io = this.#io
    const { bindings, spareWrite: request } = io
    const status = this.#tcp.writeBuffer(request, bytes)
    if (status === 0 && bindings.state[bindings.lastWriteWasAsync] === 0) return true
    // A request that has been to libuv does not serve again.
    io.spareWrite = new bindings.WriteWrap()
    if (status !== 0) {
      this.#close(systemError(status, 'write'), false)
      return true
    }
    this.#outstanding += bytes.length
    request.owner = this
    request.memory = bytes
    request.byteCount = bytes.length
    request.oncomplete = onWritten
    return false
  }

  #sendSecured(bytes: Uint8Array): void {
    this.#outstanding += bytes.length
    if (this.#writing) (this.#waiting ??= []).push(bytes)
    else this.#encrypt(bytes, undefined, bytes.length)
  }

  #encrypt(bytes: Uint8Array, more: Uint8Array[] | undefined, byteCount: number): void {
    const tls = this.#tls as TlsHandle
    const request = new this.#io.bindings.WriteWrap()
    request.owner = this
    request.byteCount = byteCount
    request.oncomplete = onWritten
    this.#writing = true
    const status = more === undefined ? tls.writeBuffer(request, bytes) : tls.writev(request, more, true)
    if (status !== 0) this.#close(systemError(status, 'write'), false)
  }

  #mayGoOn(): boolean {
    if (this.#outstanding <= highWaterBytes || this.#closed) return true
    this.#full = true
    return false
  }

  /** Of a write: `byteCount` bytes have left. */
  written(status: number, byteCount: number): void {
    if (this.#closed) return
    if (status !== 0) {
      this.#close(systemError(status, 'write'), false)
      return
    }
    this.#outstanding -= byteCount
    this.#writing = false
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      this.#encrypt(waiting[0] as Uint8Array, waiting.length === 1 ? undefined : waiting, this.#outstanding)
      return
    }
    if (this.#outstanding > 0) return
    if (this.#ending && !this.#shutdown) this.#shutDown()
    if (!this.#full) return
    this.#full = false
    this.#handler.onDrain()
  }

  #shutDown(): void {
    this.#shutdown = true
    const request = new this.#io.bindings.ShutdownWrap()
    request.owner = this
    request.oncomplete = onShutdown
    const status = this.#stream.shutdown(request)
    if (status !== 0) this.wasShutDown(status)
  }

  wasShutDown(status: number): void {
    if (this.#closed) return
    // The peer may have gone meanwhile: then there is nothing left to end.
    if (status !== 0 && status !== notConnected) {
      this.#close(systemError(status, 'shutdown'), false)
      return
    }
    this.#ended = true
    if (this.#peerEnded) this.#close(undefined, false)
  }

  #close(error: Error | undefined, reset: boolean): void {
    if (this.#closed) return
    // Asked for later it would be gone.
    this.#remote ??= this.#address('getpeername')
    this.#closed = true
    this.#error = error
    this.#waiting = undefined
    this.#held = undefined
    const tcp = this.#tcp
    tcp.owner = this
    // While our end is on its way libuv refuses a reset, and the handle would then neither be reset nor closed.
    const endUnderWay = this.#shutdown && !this.#ended
    if (reset && !endUnderWay) tcp.reset(onClosed)
    else tcp.close(onClosed)
  }

  wasClosed(): void {
    // What TLS still has to write refers to it: neither would be freed.
    this.#tls?.destroySSL()
    this.#gone = true
    this.#handler.onClose(this.#error)
  }

  #address(call: 'getpeername' | 'getsockname'): AddressOut {
    if (this.#closed) return noAddress
    const out: AddressOut = {}
    return this.#tcp[call](out) === 0 ? out : noAddress
  }
}

// The handles' callbacks: functions for all, since a closure for each would be the largest part of an idle connection.

function onRead(this: StreamHandle): void {
  ;(this.owner as RawConnection).received()
}

function onTlsError(this: TlsHandle, error: Error): void {
  ;(this.owner as RawConnection).failed(error)
}

function onWritten(this: WriteRequest, status: number): void {
  ;(this.owner as RawConnection).written(status, this.byteCount as number)
}

function onShutdown(this: ShutdownRequest, status: number): void {
  ;(this.owner as RawConnection).wasShutDown(status)
}

function onClosed(this: TcpHandle): void {
  ;(this.owner as RawConnection).wasClosed()
}
