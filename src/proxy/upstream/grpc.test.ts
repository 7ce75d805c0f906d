import { describe, expect, it } from 'vitest'

import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { grpcReply, grpcStatusOf, isGrpc } from './grpc.ts'

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
    const { head, grpcStatus } = grpcReply(404, 'no route\n100 %')
    expect(grpcStatus).toBe(12)
    expect(head.status).toBe(200)
    expect(head.headers.get('grpc-message')).toBe('no route%0A100 %25')
    expect(grpcReply(418, '').grpcStatus).toBe(2)
  })
})
