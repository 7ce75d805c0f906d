// Asks an authorization server by gRPC (envoy.service.auth.v3.Authorization). One channel for all questions.
import type { ChannelOptions, Client } from '@grpc/grpc-js'

import { decodeCheckAnswer, encodeCheck } from './check.xds.ts'
import type { AskAuthorization, AuthorizationAnswer, AuthorizationCheck } from './external-authorization.spec.ts'

export interface AuthorizationClient {
  readonly ask: AskAuthorization
  /** Ends what is under way; every later question is rejected. */
  close(): void
}

const method = '/envoy.service.auth.v3.Authorization/Check'

const channelOptions: ChannelOptions = {
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  // Who waits for an answer does not wait for a long pause between two attempts to connect
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': 1024 * 1024,
}

/** `address`: "127.0.0.1:9000". Connects on the first question, in clear text. */
export function createGrpcAuthorizationClient(address: string): AuthorizationClient {
  return new GrpcAuthorizationClient(address)
}

class GrpcAuthorizationClient implements AuthorizationClient {
  readonly #address: string
  readonly #closing = new AbortController()
  #client: Promise<Client> | undefined

  constructor(address: string) {
    this.#address = address
  }

  readonly ask: AskAuthorization = async (check, signal) => {
    // Large, and only here where a policy asks for it
    this.#client ??= import('@grpc/grpc-js').then(
      ({ Client, credentials }) => new Client(this.#address, credentials.createInsecure(), channelOptions),
    )
    const client = await this.#client
    return askOnce(client, check, AbortSignal.any([signal, this.#closing.signal]))
  }

  close(): void {
    this.#closing.abort()
    void this.#client?.then((client) => client.close())
  }
}

function askOnce(client: Client, check: AuthorizationCheck, signal: AbortSignal): Promise<AuthorizationAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<AuthorizationAnswer>()
  if (signal.aborted) {
    reject(new Error('nobody waits for an answer'))
    return promise
  }
  const call = client.makeUnaryRequest(
    method,
    (message: AuthorizationCheck) => Buffer.from(encodeCheck(message)),
    decodeCheckAnswer,
    check,
    (error, answer) => {
      if (answer === undefined) reject(error ?? new Error('an answer without content'))
      else resolve(answer)
    },
  )
  const cancel = (): void => call.cancel()
  signal.addEventListener('abort', cancel)
  return promise.finally(() => signal.removeEventListener('abort', cancel))
}
