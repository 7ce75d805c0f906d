// An authorization server of Envoy's ext_authz on grpc-js.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'

import {
  CheckRequestSchema,
  CheckResponseSchema,
} from '../../src/contracts/xds/gen/envoy/service/auth/v3/external_auth_pb.ts'
import type { CheckRequest } from '../../src/contracts/xds/gen/envoy/service/auth/v3/external_auth_pb.ts'

type Answer = MessageInitShape<typeof CheckResponseSchema>
export type CheckCall = ServerUnaryCall<CheckRequest, Answer>
export type CheckReply = sendUnaryData<Answer>

export async function grpcAuthorizationServer(
  check: (call: CheckCall, reply: CheckReply) => void,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = new Server()
  const method = {
    path: '/envoy.service.auth.v3.Authorization/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: CheckRequest) => Buffer.from(toBinary(CheckRequestSchema, message)),
    requestDeserialize: (bytes: Buffer) => fromBinary(CheckRequestSchema, bytes),
    responseSerialize: (init: Answer) => Buffer.from(toBinary(CheckResponseSchema, create(CheckResponseSchema, init))),
    responseDeserialize: (bytes: Buffer) => fromBinary(CheckResponseSchema, bytes),
  } as const
  server.addService({ check: method }, { check })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  return { server, port }
}
