// A unary method of gRPC whose messages stay the bytes that they are.
import type { MethodDefinition } from '@grpc/grpc-js'

/** `path`: "/package.Service/Method". */
export function rawUnary(path: string): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
}

export function asIs(bytes: Buffer): Buffer {
  return bytes
}
