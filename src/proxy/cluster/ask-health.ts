// Asks one endpoint, or one application, on a connection of its own whether it works.
import type { HealthCheckSpec } from '../../contracts/health-check.ts'
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import { HeaderList } from '../../core/header-list.ts'
import {
  grpcHealthPath,
  grpcHealthRequest,
  grpcServingStatus,
} from '../../policies/health-checks/grpc-health.runtime.ts'
import { createClientConnection } from '../codec/create-client-connection.ts'
import type { ClientStreamHandler } from '../codec/http-stream.ts'
import type { Connection } from '../io/connection.ts'

export interface AskedPlace {
  /** "127.0.0.1:8080". */
  readonly address: string
  readonly secured: boolean
  /** What HTTP is spoken in, unless TLS agrees on something else; gRPC is HTTP/2. */
  readonly protocol: 'http1' | 'http2'
  connect(protocol: 'http1' | 'http2'): Promise<Connection>
}

/** No answer of a health check is longer. */
const maxAnswerBytes = 4_096

/** Why it does not work, in a few words; undefined: it does. Never rejects. */
export function askHealth(clock: Clock, spec: HealthCheckSpec, place: AskedPlace): Promise<string | undefined> {
  const { question, timeoutMs } = spec
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  let connection: Connection | undefined
  let over = false
  const answered = (failure: string | undefined): void => {
    if (over) return
    over = true
    timer.cancel()
    connection?.destroy()
    resolve(failure)
  }
  const timer = clock.setTimer(timeoutMs, () => answered(`no answer within ${timeoutMs} ms`))
  const protocol = question.kind === 'grpc' ? 'http2' : place.protocol
  const connected = (opened: Connection): void => {
    connection = opened
    if (over) opened.destroy()
    else if (question.kind === 'tcp') answered(undefined)
    else ask(opened)
  }
  const ask = (opened: Connection): void => {
    const events = { onIdle() {}, onCapacity() {}, onClosed: () => answered('the connection was closed') }
    const client = createClientConnection(clock, opened, protocol, events, { streams: 1, calm: 1 })
    const body = question.kind === 'grpc' ? grpcHealthRequest(question.service) : undefined
    const stream = client.send(
      { head: headOf(spec, place), length: body?.length ?? 0, upgrade: undefined },
      question.kind === 'http' ? new HttpAnswer(question.statuses, answered) : new GrpcAnswer(answered),
    )
    if (body === undefined) return
    stream.sendData(body)
    stream.sendEnd()
  }
  place.connect(protocol).then(connected, (error: unknown) => answered(errorMessage(error)))
  return promise
}

function headOf({ question }: HealthCheckSpec, { address, secured }: AskedPlace): RequestHead {
  const base = { scheme: secured ? 'https' : 'http', authority: address } as const
  const agent = ['user-agent', 'heddle-health-check'] as const
  if (question.kind !== 'http') {
    const headers = HeaderList.of(['content-type', 'application/grpc'], ['te', 'trailers'], agent)
    return { ...base, method: 'POST', path: grpcHealthPath, headers }
  }
  const own = question.headers.map(({ name, value }) => [name, value] as const)
  const headers = HeaderList.of(agent, ...own)
  return { ...base, authority: question.host ?? address, method: 'GET', path: question.path, headers }
}

type Answered = (failure: string | undefined) => void

/** The head is the answer. */
class HttpAnswer implements ClientStreamHandler {
  readonly #statuses: readonly { readonly start: number; readonly end: number }[]
  readonly #answered: Answered

  constructor(statuses: readonly { readonly start: number; readonly end: number }[], answered: Answered) {
    this.#statuses = statuses
    this.#answered = answered
  }

  onHead({ status }: ResponseHead): void {
    const good = this.#statuses.some(({ start, end }) => status >= start && status < end)
    this.#answered(good ? undefined : `status ${status}`)
  }

  onInformational(): void {}

  onData(): void {}

  onEnd(): void {}

  onDrain(): void {}

  onFailed({ message }: { readonly message: string }): void {
    this.#answered(message)
  }
}

/** The message counts when the call has ended well. */
class GrpcAnswer implements ClientStreamHandler {
  readonly #answered: Answered
  #bytes = Buffer.alloc(0)
  #head: HeaderList | undefined

  constructor(answered: Answered) {
    this.#answered = answered
  }

  onHead({ status, headers }: ResponseHead): void {
    this.#head = headers
    if (status !== 200) this.#answered(`status ${status}`)
  }

  onInformational(): void {}

  onData(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    if (this.#bytes.length > maxAnswerBytes) this.#answered('the answer is too long')
  }

  onEnd(trailers = this.#head): void {
    const status = trailers?.get('grpc-status') ?? 'absent'
    const message = trailers?.get('grpc-message')
    if (status !== '0') {
      this.#answered(`grpc-status ${status}${message === undefined ? '' : `: ${percentDecoded(message)}`}`)
      return
    }
    const serving = grpcServingStatus(this.#bytes)
    this.#answered(serving === 'SERVING' ? undefined : serving)
  }

  onDrain(): void {}

  onFailed({ message }: { readonly message: string }): void {
    this.#answered(message)
  }
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
