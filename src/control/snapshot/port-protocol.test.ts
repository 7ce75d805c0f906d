import { expect, it } from 'vitest'

import { declaredProtocol } from './port-protocol.ts'

it.each([
  ['http', undefined, 'http'],
  ['HTTP', 'grpc', 'http'],
  ['kubernetes.io/h2c', undefined, 'http2'],
  ['kubernetes.io/ws', undefined, 'http'],
  ['kubernetes.io/wss', undefined, 'tls'],
  ['grpc', 'http', 'grpc'],
  ['https', undefined, 'tls'],
  ['mysql', undefined, 'tcp'],
  ['redis', undefined, 'tcp'],
  ['example.com/own', 'http', 'auto'],
  [undefined, 'http', 'http'],
  [undefined, 'http-web', 'http'],
  [undefined, 'http2-api', 'http2'],
  [undefined, 'grpc-users', 'grpc'],
  [undefined, 'grpc-web', 'http'],
  [undefined, 'grpc-web-users', 'http'],
  [undefined, 'tcp-raw', 'tcp'],
  [undefined, 'tls', 'tls'],
  [undefined, 'mongo-main', 'tcp'],
  [undefined, 'web', 'auto'],
  [undefined, 'httpx', 'auto'],
  [undefined, undefined, 'auto'],
] as const)('appProtocol %s and name %s say %s', (appProtocol, name, protocol) => {
  expect(declaredProtocol(appProtocol, name, 9080)).toBe(protocol)
})

it.each([25, 53, 3306, 27017])('takes port %i for bytes unless told otherwise', (port) => {
  expect(declaredProtocol(undefined, undefined, port)).toBe('tcp')
  expect(declaredProtocol('http', undefined, port)).toBe('http')
})
