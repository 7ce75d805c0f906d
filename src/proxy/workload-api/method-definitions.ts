// What grpc-js must know of each method of the Workload API, derived from its .proto.
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'

import { SpiffeWorkloadAPI } from '../../contracts/xds/gen/spiffe/workload_pb.ts'

export const workloadApiMethods: ServiceDefinition = Object.fromEntries(
  SpiffeWorkloadAPI.methods.map((method) => [method.name, definition(method)]),
)

function definition({
  parent,
  name,
  methodKind,
  input,
  output,
}: DescMethod): MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>> {
  return {
    path: `/${parent.typeName}/${name}`,
    requestStream: false,
    responseStream: methodKind === 'server_streaming',
    requestSerialize: (message) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  }
}
