// What was revoked, as heddle.v1.Revocations: what proxies get with each certificate, and at once when it changes.
import { create } from '@bufbuild/protobuf'

import { RevocationsSchema } from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { Revocations } from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { RevocationList } from './revocations.ts'

export function encodeRevocations({ version, revocations }: RevocationList): Revocations {
  return create(RevocationsSchema, {
    version: BigInt(version),
    revocations: revocations.map(({ spiffeId, notBeforeMs }) => ({
      spiffeId,
      notBeforeSeconds: BigInt(notBeforeMs / 1_000),
    })),
  })
}
