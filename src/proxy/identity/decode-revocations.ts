// heddle.v1.Revocations → what the handshake asks.
import type { Revocations } from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { RevokedSvids } from '../io/revoked-peers.ts'

export function decodeRevocations({ version, revocations }: Revocations): RevokedSvids {
  return {
    version: Number(version),
    notBeforeMs: Object.fromEntries(
      revocations.map(({ spiffeId, notBeforeSeconds }) => [spiffeId, Number(notBeforeSeconds) * 1_000]),
    ),
  }
}
