// The echo application's gRPC side, and a client for it: `proto.EchoTestService/Echo` takes a text and answers with what the server saw, as JSON.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { StringValueSchema } from '@bufbuild/protobuf/wkt'
import { credentials, makeGenericClientConstructor, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { Client, handleUnaryCall, MethodDefinition, ServiceError } from '@grpc/grpc-js'

import type { Echo } from './echo-server.ts'
import type { WireResponse } from './http-client.ts'

export const grpcEchoPath = '/proto.EchoTestService/Echo'

const timeoutMs = 10_000

/** EchoRequest and EchoResponse both have one text as their first field, as StringValue has. */
function serialize(text: string): Buffer {
  return Buffer.from(toBinary(StringValueSchema, create(StringValueSchema, { value: text })))
}

function deserialize(bytes: Buffer): string {
  return fromBinary(StringValueSchema, bytes).value
}

const echoMethod: MethodDefinition<string, string> = {
  path: grpcEchoPath,
  requestStream: false,
  responseStream: false,
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
}

const EchoClient = makeGenericClientConstructor({ Echo: echoMethod }, 'EchoTestService')

/** Starts a server on 127.0.0.1; resolves with what stops it. */
export function serveGrpcEcho(port: number, pod: string, namespace: string): Promise<() => void> {
  const echo: handleUnaryCall<string, string> = (call, done) => {
    const headers: Record<string, string[]> = {}
    for (const name of Object.keys(call.metadata.getMap())) headers[name] = call.metadata.get(name).map(String)
    const seen: Echo = {
      pod,
      namespace,
      method: 'POST',
      path: call.getPath(),
      host: call.getHost(),
      headers,
      bodyBytes: Buffer.byteLength(call.request),
    }
    done(null, JSON.stringify(seen))
  }
  const server = new Server()
  server.addService({ Echo: echoMethod }, { Echo: echo })
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve(() => server.forceShutdown())
      else reject(error)
    })
  })
}

/** One channel: one HTTP/2 connection with all its calls. Close it. */
export class GrpcEchoClient {
  readonly #client: Client

  /** `target`: "echo:7070". `proxy`: "http://127.0.0.1:20001", asked to CONNECT to the target; absent: the target is dialled. */
  constructor(target: string, proxy?: string) {
    this.#client = withProxy(proxy, () => new EchoClient(target, credentials.createInsecure()))
  }

  /** Never rejects: whatever is not OK is a 500 with the gRPC status as its body. */
  send(headers: Readonly<Record<string, string>>): Promise<WireResponse> {
    const metadata = new Metadata()
    for (const [name, value] of Object.entries(headers)) metadata.add(name, value)
    const options = { deadline: new Date(Date.now() + timeoutMs) }
    return new Promise((resolve) => {
      const received: Record<string, string> = {}
      const done = (error: ServiceError | null, body?: string): void => {
        if (error === null) resolve({ status: 200, headers: received, body: body ?? '' })
        else resolve({ status: 500, headers: received, body: `gRPC ${status[error.code]}: ${error.details}` })
      }
      this.#client
        .makeUnaryRequest(grpcEchoPath, serialize, deserialize, 'hello', metadata, options, done)
        .on('metadata', (seen) => {
          for (const name of Object.keys(seen.getMap())) received[name] = seen.get(name).join(',')
        })
    })
  }

  close(): void {
    this.#client.close()
  }
}

/** grpc-js takes its proxy from the environment, when a channel is made. */
function withProxy<T>(proxy: string | undefined, make: () => T): T {
  const before = process.env['grpc_proxy']
  if (proxy !== undefined) process.env['grpc_proxy'] = proxy
  try {
    return make()
  } finally {
    if (before === undefined) delete process.env['grpc_proxy']
    else process.env['grpc_proxy'] = before
  }
}
