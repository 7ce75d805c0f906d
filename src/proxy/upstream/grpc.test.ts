import { describe, expect, it } from 'vitest'

import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { grpcReply, grpcStatusOf, grpcTrailers, isGrpc, statusWithoutBody } from './grpc.ts'

function post(contentType?: string): RequestHead {
  const headers = contentType === undefined ? new HeaderList() : HeaderList.of(['Content-Type', contentType])
  return { method: 'POST', scheme: 'http', authority: 'a', path: '/s/M', headers }
}

describe('gRPC', () => {
  it('is told by the content type', () => {
    for (const type of ['application/grpc', 'application/grpc+proto', 'application/grpc;charset=utf-8']) {
      expect(isGrpc(post(type)), type).toBe(true)
    }
    for (const type of ['application/grpc-web', 'application/grpcx', 'text/plain', undefined]) {
      expect(isGrpc(post(type)), type).toBe(false)
    }
    expect(isGrpc({ ...post('application/grpc'), method: 'GET' })).toBe(false)
  })

  it('reads a status where there is one', () => {
    expect(grpcStatusOf(HeaderList.of(['grpc-status', '14']))).toBe(14)
    expect(grpcStatusOf(HeaderList.of(['grpc-status', 'x']))).toBeUndefined()
    expect(grpcStatusOf(undefined)).toBeUndefined()
  })

  it('refuses in its own words', () => {
    const head = { status: 404, headers: HeaderList.of(['Content-Type', 'text/plain'], ['x-kept', 'yes']) }
    expect(grpcReply(head, 'no route\n100 %')).toBe(12)
    expect(head.status).toBe(200)
    expect(head.headers.get('content-type')).toBe('application/grpc')
    expect(head.headers.get('grpc-message')).toBe('no route%0A100 %25')
    expect(head.headers.get('x-kept')).toBe('yes')
    expect(grpcReply({ status: 418, headers: new HeaderList() }, '')).toBe(2)
  })

  it('says in trailers how a response that has begun ends', () => {
    const { trailers, grpcStatus } = grpcTrailers(504, 'too long')
    expect(grpcStatus).toBe(4)
    expect(trailers.get('grpc-status')).toBe('4')
    expect(trailers.get('grpc-message')).toBe('too long')
  })

  it('knows a status before the body only where there is none', () => {
    const head = { status: 200, headers: HeaderList.of(['grpc-status', '14']) }
    expect(statusWithoutBody(head, 0)).toBe(14)
    expect(statusWithoutBody(head, 'unknown')).toBeUndefined()
  })
})
