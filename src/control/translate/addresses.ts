// Socket addresses and endpoints in xDS's words.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { AddressSchema } from '../../contracts/xds/gen/envoy/config/core/v3/address_pb.ts'

export interface SocketAddress {
  readonly host: string
  readonly port: number
}

export function socketAddress({ host, port }: SocketAddress): MessageInitShape<typeof AddressSchema> {
  const value = { address: host, portSpecifier: { case: 'portValue' as const, value: port } }
  return { address: { case: 'socketAddress', value } }
}
