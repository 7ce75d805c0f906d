// One request as its caller sees it: made, and then answered, broken off, or given up.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import { Deadlined } from '../../core/deadline-list.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { ServerStream, ServerStreamHandler } from '../../proxy/codec/http-stream.ts'
import type { Connection } from '../../proxy/io/connection.ts'
import type { Interval } from './measurements.ts'

export interface CallOwner {
  /** Once. `status` 0: there was no answer. */
  callOver(call: SimulatedCall, gaveUp: boolean): void
}

/** Between an application and its proxy: nothing happens to it. */
export const loopback: Connection = {
  handler: { onData() {}, onEnd() {}, onClose() {}, onDrain() {} },
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  localAddress: '127.0.0.1',
  localPort: 1,
  tls: undefined,
  closed: false,
  write: () => true,
  writeFrom: () => true,
  writeLent: () => true,
  end() {},
  destroy() {},
  pause() {},
  resume() {},
}

/** With an id: to make one for each costs more than all the rest of the request. */
const headers = HeaderList.of(['x-request-id', '00000000-0000-4000-8000-000000000000'])

export class SimulatedCall extends Deadlined implements ServerStream {
  readonly request: RequestHead
  readonly protocol = 'HTTP/1.1'
  readonly bodyLength = 0
  readonly expectsContinue = false
  readonly upgrade = undefined
  readonly connection: Connection = loopback
  declare handler: ServerStreamHandler
  readonly startMs: number
  readonly interval: Interval
  status = 0
  readonly #owner: CallOwner
  #over = false

  constructor(owner: CallOwner, startMs: number, interval: Interval, method: string, authority: string) {
    super()
    this.#owner = owner
    this.startMs = startMs
    this.interval = interval
    this.request = { method, scheme: 'http', authority, path: '/', headers: headers.clone() }
  }

  sendHead({ status }: ResponseHead): void {
    this.status = status
  }

  sendEnd(): void {
    this.#end(false)
  }

  abort(): void {
    this.status = 0
    this.#end(false)
  }

  /** The caller waits no longer. */
  expired(): void {
    if (this.#over) return
    this.status = 0
    this.#end(true)
    this.handler.onClosed(new Error('the caller has gone'))
  }

  sendInformational(): void {}

  sendData(): boolean {
    return true
  }

  pause(): void {}

  resume(): void {}

  takeOver(): never {
    throw new Error('a simulated caller does not ask for a tunnel')
  }

  #end(gaveUp: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#owner.callOver(this, gaveUp)
  }
}
