// The gRPC half of the runner, against the echo application itself.
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'

import { afterEach, expect, it } from 'vitest'

import { freePorts } from '../kit/free-ports.ts'
import { serveGrpcEcho } from '../kit/grpc-echo.ts'
import { grpcExchange } from './run-case.ts'
import type { SuiteCase, SuiteExpectation } from './suite.ts'
import { complaints } from './verdict.ts'

let stop = (): void => {}
afterEach(() => stop())

async function judge(headers: Record<string, string>, expectation: Partial<SuiteExpectation>): Promise<string[]> {
  const [port = 0] = await freePorts(1)
  stop = await serveGrpcEcho(port, 'echo-v1', 'mesh')
  const one: SuiteCase = {
    from: { pod: 'echo-v1', namespace: 'mesh' },
    request: { protocol: 'grpc', host: `127.0.0.1:${port}`, path: '', headers },
    expect: { status: [200], backend: 'echo-v1', backendNamespace: 'mesh', ...expectation },
  }
  const { url, hostHeader, response } = grpcExchange(one)
  return complaints(one, url, hostHeader, await response)
}

it('is content with the answer that a case expects', async () => {
  const wanted = { headers: { 'X-Set': 'a', 'x-add': 'b,c' }, absentHeaders: ['x-gone'] }
  expect(await judge({ 'x-set': 'a', 'x-add': 'b,c' }, { backendRequest: wanted })).toEqual([])
})

it('notices the wrong backend and wrong headers', async () => {
  const wrong = await judge(
    { 'x-set': 'a', 'x-gone': '1' },
    { backend: 'echo-v2', backendRequest: { headers: { 'x-set': 'b' }, absentHeaders: ['x-gone'] } },
  )
  expect(wrong).toHaveLength(3)
})

it('goes through the outbound port by CONNECT, under the name that the case gives', async () => {
  const [port = 0] = await freePorts(1)
  stop = await serveGrpcEcho(port, 'echo-v1', 'mesh')
  const asked: string[] = []
  const proxy = createServer().on('connect', (request, socket) => {
    asked.push(request.url ?? '')
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    const upstream = connect(port, '127.0.0.1')
    socket.pipe(upstream).pipe(socket)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const one: SuiteCase = {
    from: { pod: 'echo-v1', namespace: 'mesh' },
    request: { protocol: 'grpc', host: 'echo:7070', path: '' },
    expect: { status: [200], backend: 'echo-v1' },
  }
  const { url, hostHeader, response } = grpcExchange(one, `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`)
  expect(complaints(one, url, hostHeader, await response)).toEqual([])
  expect(asked).toEqual(['echo:7070'])
  proxy.close()
})

it('takes a call that fails for a wrong status', async () => {
  const one: SuiteCase = {
    from: { pod: 'echo-v1', namespace: 'mesh' },
    request: { protocol: 'grpc', host: '127.0.0.1:1', path: '' },
    expect: { status: [200] },
  }
  const { url, hostHeader, response } = grpcExchange(one)
  expect(complaints(one, url, hostHeader, await response)[0]).toContain('status 500 instead of 200: gRPC UNAVAILABLE')
})
