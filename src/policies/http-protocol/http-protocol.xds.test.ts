import { expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { HttpProtocolOptionsSchema } from '../../contracts/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { decodeHttpProtocol, decodeKeepAlive, encodeHttpProtocol } from './http-protocol.xds.ts'

type Options = Parameters<typeof typedConfig<typeof HttpProtocolOptionsSchema>>[1]

function decoded(upstreamProtocolOptions: NonNullable<Options['upstreamProtocolOptions']>): string {
  const any = typedConfig(HttpProtocolOptionsSchema, { upstreamProtocolOptions })
  const typedExtensionProtocolOptions = { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': any }
  return decodeHttpProtocol(overTheWire(ClusterSchema, { typedExtensionProtocolOptions }))
}

it.each(['http1', 'http2', 'downstream'] as const)('decodes %s as it was encoded', (protocol) => {
  const typedExtensionProtocolOptions = encodeHttpProtocol(protocol)
  expect(decodeHttpProtocol(overTheWire(ClusterSchema, { typedExtensionProtocolOptions }))).toBe(protocol)
})

it('reads the options as Envoy does', () => {
  const explicit = (value: 'httpProtocolOptions' | 'http2ProtocolOptions' | 'http3ProtocolOptions') =>
    decoded({ case: 'explicitHttpConfig', value: { protocolConfig: { case: value, value: {} } } as never })
  expect(explicit('httpProtocolOptions')).toBe('http1')
  expect(explicit('http2ProtocolOptions')).toBe('http2')
  expect(() => explicit('http3ProtocolOptions')).toThrow('HTTP/3')
  expect(decoded({ case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {} } })).toBe('http1')
  expect(decoded({ case: 'autoConfig', value: {} })).toBe('http1')
})

function keptAlive(connectionKeepalive: object): unknown {
  const http2ProtocolOptions = { connectionKeepalive }
  const value = { protocolConfig: { case: 'http2ProtocolOptions', value: http2ProtocolOptions } } as const
  const any = typedConfig(HttpProtocolOptionsSchema, {
    upstreamProtocolOptions: { case: 'explicitHttpConfig', value },
  })
  const typedExtensionProtocolOptions = { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': any }
  return decodeKeepAlive(overTheWire(ClusterSchema, { typedExtensionProtocolOptions }))
}

it("reads Envoy's pings of HTTP/2 connections", () => {
  expect(keptAlive({ interval: { seconds: 30n }, timeout: { seconds: 5n } })).toEqual({
    intervalMs: 30_000,
    timeoutMs: 5_000,
  })
  expect(keptAlive({ timeout: { seconds: 5n } })).toBeUndefined()
  expect(() => keptAlive({ interval: { seconds: 0n }, timeout: { seconds: 5n } })).toThrow('connection_keepalive')
})
