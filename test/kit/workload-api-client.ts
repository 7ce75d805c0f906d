// An application at its Workload API: a gRPC client on the Unix socket, as SPIFFE libraries are.
import { create } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { ChannelCredentials, Client, Metadata } from '@grpc/grpc-js'
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js'

import { grpcMethod, type MethodOf } from '../../src/contracts/xds/grpc-method.ts'

/** What a stream brought so far, and how it ended. */
export interface Followed<T> {
  readonly messages: readonly T[]
  readonly error: ServiceError | undefined
  cancel(): void
}

export class WorkloadApiClient {
  readonly #client: Client
  readonly #metadata = new Metadata()

  /** `header` null: it sends none. */
  constructor(socketFile: string, header: string | null = 'true') {
    this.#client = new Client(`unix://${socketFile}`, ChannelCredentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    })
    if (header !== null) this.#metadata.set('workload.spiffe.io', header)
  }

  call<I extends DescMessage, O extends DescMessage>(
    method: MethodOf<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const { path, requestSerialize, responseDeserialize } = grpcMethod(method)
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(method.input, request),
        this.#metadata,
        { deadline: Date.now() + 10_000 },
        (error, response) => {
          if (error !== null) reject(error)
          else resolve(response as MessageShape<O>)
        },
      )
    })
  }

  follow<I extends DescMessage, O extends DescMessage>(
    method: MethodOf<I, O>,
    request: MessageInitShape<I>,
  ): Followed<MessageShape<O>> {
    const { path, requestSerialize, responseDeserialize } = grpcMethod(method)
    const call: ClientReadableStream<MessageShape<O>> = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      create(method.input, request),
      this.#metadata,
    )
    const messages: MessageShape<O>[] = []
    const followed = { messages, error: undefined as ServiceError | undefined, cancel: () => call.cancel() }
    call.on('data', (message: MessageShape<O>) => messages.push(message))
    call.on('error', (error: ServiceError) => {
      followed.error = error
    })
    return followed
  }

  close(): void {
    this.#client.close()
  }
}
