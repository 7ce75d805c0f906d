// A grpc-js client for the gRPC application.
import { Client, credentials, Metadata, type ChannelOptions, type StatusObject } from '@grpc/grpc-js'

import { callMethods, healthMethods } from './grpc-application.ts'

export interface CallOutcome {
  readonly code: number
  readonly details: string
  readonly head: Metadata | undefined
  readonly trailers: Metadata
  readonly message: Buffer | undefined
}

export interface CallChoice {
  readonly metadata?: Readonly<Record<string, string | Buffer>>
  readonly timeoutMs?: number
}

const same = (bytes: Buffer): Buffer => bytes
type CallName = keyof typeof callMethods | keyof typeof healthMethods | 'Unknown'
const methods = { ...callMethods, ...healthMethods, Unknown: { path: '/calls.Others/Unknown' } }

export class GrpcCaller {
  readonly client: Client

  /** Without a pool shared with other channels: one connection. */
  constructor(target: string, options: ChannelOptions = {}) {
    this.client = new Client(target, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      ...options,
    })
  }

  /** Never rejects. */
  say(message: Buffer | string, choice: CallChoice = {}, method: CallName = 'Say'): Promise<CallOutcome> {
    return new Promise((resolve) => {
      let head: Metadata | undefined
      let answer: Buffer | undefined
      const { path } = methods[method]
      this.client
        .makeUnaryRequest(path, same, same, Buffer.from(message), metadataOf(choice), optionsOf(choice), (_, value) => {
          answer = value
        })
        .on('metadata', (seen: Metadata) => (head = seen))
        .on('status', ({ code, details, metadata }: StatusObject) =>
          // The callback comes after the status.
          setImmediate(() => resolve({ code, details, head, trailers: metadata, message: answer })),
        )
    })
  }

  gather(messages: readonly Buffer[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = this.client.makeClientStreamRequest(callMethods.Gather.path, same, same, (error, value) => {
        if (error === null) resolve(String(value))
        else reject(error)
      })
      for (const message of messages) call.write(message)
      call.end()
    })
  }

  spread(request: Buffer | string, choice: CallChoice = {}, method: CallName = 'Spread'): StreamedCall {
    const { path } = methods[method]
    const call = this.client.makeServerStreamRequest(
      path,
      same,
      same,
      Buffer.from(request),
      metadataOf(choice),
      optionsOf(choice),
    )
    return new StreamedCall(call)
  }

  talk(choice: CallChoice = {}): StreamedCall & { readonly send: (message: string) => void; readonly end: () => void } {
    const call = this.client.makeBidiStreamRequest(
      callMethods.Talk.path,
      same,
      same,
      metadataOf(choice),
      optionsOf(choice),
    )
    return Object.assign(new StreamedCall(call), {
      send: (message: string) => void call.write(Buffer.from(message)),
      end: () => void call.end(),
    })
  }

  close(): void {
    this.client.close()
  }
}

interface Streaming {
  on(event: 'data', listener: (message: Buffer) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'status', listener: (status: StatusObject) => void): unknown
  cancel(): void
}

export class StreamedCall {
  readonly messages: Buffer[] = []
  readonly status: Promise<StatusObject>
  readonly #call: Streaming

  constructor(call: Streaming) {
    this.#call = call
    call.on('data', (message) => this.messages.push(message))
    call.on('error', () => {})
    this.status = new Promise((resolve) => call.on('status', resolve))
  }

  cancel(): void {
    this.#call.cancel()
  }
}

function metadataOf({ metadata = {} }: CallChoice): Metadata {
  const made = new Metadata()
  for (const [name, value] of Object.entries(metadata)) made.add(name, value)
  return made
}

function optionsOf({ timeoutMs = 20_000 }: CallChoice): { deadline: number } {
  return { deadline: Date.now() + timeoutMs }
}
