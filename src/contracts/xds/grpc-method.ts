// What grpc-js must know of a method, from the description that was generated from its .proto.
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf'
import type { MethodDefinition } from '@grpc/grpc-js'

/** A method whose two sides are known. */
export interface MethodOf<I extends DescMessage, O extends DescMessage> extends DescMethod {
  readonly input: I
  readonly output: O
}

export function grpcMethod<I extends DescMessage, O extends DescMessage>({
  parent,
  name,
  methodKind,
  input,
  output,
}: MethodOf<I, O>): MethodDefinition<MessageShape<I>, MessageShape<O>> {
  return {
    path: `/${parent.typeName}/${name}`,
    requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
    responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
    requestSerialize: (message) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  }
}
