// An application that speaks gRPC: every kind of call, errors on request, and grpc.health.v1. Messages are bare bytes; what a call wants is in
// its metadata. Started by a mesh it reads PORT and NAME from its environment.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { StringValueSchema, UInt32ValueSchema } from '@bufbuild/protobuf/wkt'
import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js'
import type {
  MetadataValue,
  MethodDefinition,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceError,
  sendUnaryData,
} from '@grpc/grpc-js'

const same = (bytes: Buffer): Buffer => bytes

function method(path: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  }
}

type CallName = 'Say' | 'Try' | 'Hold' | 'Gather' | 'Spread' | 'Talk'
type Method = MethodDefinition<Buffer, Buffer>

export const callMethods: Readonly<Record<CallName, Method>> = {
  Say: method('/calls.Calls/Say', false, false),
  /** Fails as many times as `x-fail-first` says, by the `x-call` it names, then answers. */
  Try: method('/calls.Calls/Try', false, false),
  /** Never answers. */
  Hold: method('/calls.Calls/Hold', false, false),
  /** Answers with the number of bytes. */
  Gather: method('/calls.Calls/Gather', true, false),
  /** As many messages as the request says, then waits if there is `x-wait`. */
  Spread: method('/calls.Calls/Spread', false, true),
  Talk: method('/calls.Calls/Talk', true, true),
}

export const healthMethods: Readonly<Record<'Check' | 'Watch', Method>> = {
  Check: method('/grpc.health.v1.Health/Check', false, false),
  Watch: method('/grpc.health.v1.Health/Watch', false, true),
}

/** HealthCheckRequest has one text as its only field, as StringValue has. */
export function healthRequest(service: string): Buffer {
  return Buffer.from(toBinary(StringValueSchema, create(StringValueSchema, { value: service })))
}

/** HealthCheckResponse has one enum as its only field: 1 is SERVING. */
export function healthStatus(bytes: Buffer): number {
  return fromBinary(UInt32ValueSchema, bytes).value
}

function healthResponse(value: number): Buffer {
  return Buffer.from(toBinary(UInt32ValueSchema, create(UInt32ValueSchema, { value })))
}

export interface GrpcApplication {
  readonly port: number
  /** Methods in the order they were called. */
  readonly called: string[]
  /** Milliseconds that each call's caller would still wait when it came; Infinity where nobody said. */
  readonly timeouts: number[]
  /** Calls that their callers gave up. */
  readonly cancelled: string[]
  /** Sends GOAWAY on every connection; open calls go on. */
  goAway(): void
  stop(): void
}

/** `port` 0: a free one. */
export async function startGrpcApplication(port: number, name: string): Promise<GrpcApplication> {
  const called: string[] = []
  const timeouts: number[] = []
  const cancelled: string[] = []
  const failed = new Map<string, number>()
  const server = new Server({ 'grpc.max_receive_message_length': -1 })

  type Call = Pick<ServerUnaryCall<Buffer, Buffer>, 'getPath' | 'getDeadline' | 'metadata' | 'sendMetadata'> & {
    once(event: 'cancelled', listener: () => void): unknown
  }
  const note = (call: Pick<Call, 'getPath' | 'getDeadline' | 'once'>): void => {
    called.push(call.getPath())
    const deadline = call.getDeadline()
    timeouts.push(deadline === Infinity ? Infinity : Number(deadline) - Date.now())
    call.once('cancelled', () => cancelled.push(call.getPath()))
  }
  /** Trailers. */
  const begin = (call: Call): Metadata => {
    note(call)
    const head = new Metadata()
    head.set('x-app', name)
    const trailers = new Metadata()
    for (const value of call.metadata.get('x-raw-bin')) {
      head.add('x-raw-bin', value)
      trailers.add('x-end-bin', value)
    }
    trailers.set('x-end', 'last')
    if (call.metadata.get('x-fail').length === 0) call.sendMetadata(head)
    return trailers
  }
  const failure = (code: MetadataValue | undefined, metadata: Metadata): Partial<ServiceError> => ({
    code: status[status[Number(code)] as keyof typeof status],
    details: `as you wish: 100 % ${name} ü`,
    metadata,
  })

  server.addService(callMethods, {
    Say(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
      const trailers = begin(call)
      const [fail] = call.metadata.get('x-fail')
      if (fail === undefined) done(null, call.request, trailers)
      else done(failure(fail, trailers))
    },
    Try(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
      note(call)
      const id = String(call.metadata.get('x-call')[0])
      const times = failed.get(id) ?? 0
      failed.set(id, times + 1)
      if (times < Number(call.metadata.get('x-fail-first')[0])) {
        done(failure(call.metadata.get('x-fail')[0], new Metadata()))
      } else done(null, Buffer.from(`${times + 1}`))
    },
    Hold(call: ServerUnaryCall<Buffer, Buffer>) {
      note(call)
    },
    Gather(call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
      const trailers = begin(call)
      let bytes = 0
      call.on('data', (message: Buffer) => (bytes += message.length))
      call.on('end', () => done(null, Buffer.from(`${bytes}`), trailers))
    },
    Spread(call: ServerWritableStream<Buffer, Buffer>) {
      const trailers = begin(call)
      const count = Number(call.request.toString())
      for (let i = 0; i < count; i++) call.write(Buffer.from(`${i}`))
      if (call.metadata.get('x-wait').length === 0) call.end(trailers)
    },
    Talk(call: ServerDuplexStream<Buffer, Buffer>) {
      const trailers = begin(call)
      call.on('data', (message: Buffer) => call.write(message))
      call.on('end', () => call.end(trailers))
    },
  })
  server.addService(healthMethods, {
    Check(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
      called.push(call.getPath())
      const service = fromBinary(StringValueSchema, call.request).value
      if (service === '' || service === 'calls.Calls') done(null, healthResponse(1))
      else done({ code: status.NOT_FOUND, details: 'unknown service' })
    },
    Watch(call: ServerWritableStream<Buffer, Buffer>) {
      begin(call)
      call.write(healthResponse(1))
      const timer = setTimeout(() => call.write(healthResponse(2)), 50)
      call.on('cancelled', () => clearTimeout(timer))
    },
  })
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, taken) => {
      if (error === null) resolve(taken)
      else reject(error)
    })
  })
  return {
    port: bound,
    called,
    timeouts,
    cancelled,
    goAway: () => server.drain(`127.0.0.1:${bound}`, 60_000),
    stop: () => server.forceShutdown(),
  }
}

if (import.meta.main) {
  const { PORT, NAME = '' } = process.env
  await startGrpcApplication(Number(PORT), NAME)
  process.once('SIGTERM', () => process.exit(0))
}
