// The two messages of grpc.health.v1.Health/Check, as gRPC frames them. Each has one field.

export const grpcHealthPath = '/grpc.health.v1.Health/Check'

/** A HealthCheckRequest: field 1 is the name of the service. */
export function grpcHealthRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const field = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name])
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(field.length, 1)
  return Buffer.concat([prefix, field])
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}

const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const

/** ServingStatus of a whole answer; "malformed" when it is none. Absent in the message is UNKNOWN, as every enum is 0. */
export function grpcServingStatus(answer: Buffer): (typeof servingStatuses)[number] | 'malformed' {
  if (answer.length < 5 || answer[0] !== 0 || answer.readUInt32BE(1) !== answer.length - 5) return 'malformed'
  if (answer.length === 5) return 'UNKNOWN'
  if (answer.length !== 7 || answer[5] !== 0x08) return 'malformed'
  return servingStatuses[answer[6] as number] ?? 'malformed'
}
