// A rate limit server (Envoy's RateLimitService) on grpc-js.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'

import {
  RateLimitRequestSchema,
  RateLimitResponseSchema,
} from '../../src/contracts/xds/gen/envoy/service/ratelimit/v3/rls_pb.ts'
import type { RateLimitRequest } from '../../src/contracts/xds/gen/envoy/service/ratelimit/v3/rls_pb.ts'

export type RateLimitReply = MessageInitShape<typeof RateLimitResponseSchema>

/** `decide` answers a request, or never does when it returns undefined. */
export async function grpcRateLimitServer(
  port: number,
  decide: (request: RateLimitRequest) => RateLimitReply | undefined,
): Promise<Server> {
  const server = new Server()
  const method = {
    path: '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: RateLimitRequest) => Buffer.from(toBinary(RateLimitRequestSchema, message)),
    requestDeserialize: (bytes: Buffer) => fromBinary(RateLimitRequestSchema, bytes),
    responseSerialize: (init: RateLimitReply) =>
      Buffer.from(toBinary(RateLimitResponseSchema, create(RateLimitResponseSchema, init))),
    responseDeserialize: (bytes: Buffer) => fromBinary(RateLimitResponseSchema, bytes),
  } as const
  server.addService(
    { shouldRateLimit: method },
    {
      shouldRateLimit(call: ServerUnaryCall<RateLimitRequest, RateLimitReply>, reply: sendUnaryData<RateLimitReply>) {
        const answer = decide(call.request)
        if (answer !== undefined) reply(null, answer)
      },
    },
  )
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
  return server
}
