import { describe, expect, it } from 'vitest'

import { extensionProvidersSchema, toExternalAuthorizationSpec } from './external-authorization.schema.ts'

const server = { service: 'auth.default.svc.cluster.local', port: 9000 }

function problemsOf(...providers: readonly object[]): string[] {
  const result = extensionProvidersSchema.safeParse(providers)
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

it('fills in what is left out', () => {
  const [grpc, http] = extensionProvidersSchema.parse([
    { name: 'a', envoyExtAuthzGrpc: server },
    { name: 'b', envoyExtAuthzHttp: server },
  ])
  const common = { timeoutMs: 5000, failOpen: false, statusOnError: 403, headersInCheck: [] }
  expect(grpc && toExternalAuthorizationSpec(grpc, 'c')).toEqual({ service: { kind: 'grpc', cluster: 'c' }, ...common })
  expect(http && toExternalAuthorizationSpec(http, 'c')).toEqual({
    service: {
      kind: 'http',
      cluster: 'c',
      pathPrefix: '',
      headersToUpstreamOnAllow: [],
      headersToDownstreamOnDeny: [],
    },
    ...common,
  })
})

it('takes everything that a provider can say', () => {
  const [provider] = extensionProvidersSchema.parse([
    {
      name: 'a',
      envoyExtAuthzHttp: {
        service: 'shop/auth',
        port: 80,
        timeout: '100ms',
        failOpen: true,
        statusOnError: '503',
        includeRequestBodyInCheck: { maxRequestBytes: 1024, allowPartialMessage: true },
        pathPrefix: '/check',
        includeRequestHeadersInCheck: ['X-*', 'cookie'],
        headersToUpstreamOnAllow: ['*-user'],
        headersToDownstreamOnDeny: ['*'],
      },
    },
  ])
  expect(provider && toExternalAuthorizationSpec(provider, 'c')).toEqual({
    service: {
      kind: 'http',
      cluster: 'c',
      pathPrefix: '/check',
      headersToUpstreamOnAllow: ['*-user'],
      headersToDownstreamOnDeny: ['*'],
    },
    timeoutMs: 100,
    failOpen: true,
    statusOnError: 503,
    headersInCheck: ['x-*', 'cookie'],
    requestBody: { maxRequestBytes: 1024, allowPartialMessage: true, packAsBytes: false },
  })
})

describe('a provider is refused', () => {
  it.each<[string, object[], string]>([
    ['of no kind', [{ name: 'a' }], '0: Give either'],
    ['of two kinds', [{ name: 'a', envoyExtAuthzGrpc: server, envoyExtAuthzHttp: server }], '0: Give either'],
    [
      'whose name is taken',
      [
        { name: 'a', envoyExtAuthzGrpc: server },
        { name: 'a', envoyExtAuthzGrpc: server },
      ],
      '1.name: the name "a" occurs twice',
    ],
    ['without port', [{ name: 'a', envoyExtAuthzGrpc: { service: 'a' } }], '0.envoyExtAuthzGrpc.port: '],
    ['by URL', [{ name: 'a', envoyExtAuthzGrpc: { ...server, service: 'http://a' } }], '0.envoyExtAuthzGrpc.service: '],
    [
      'with bodies of no size',
      [{ name: 'a', envoyExtAuthzGrpc: { ...server, includeRequestBodyInCheck: {} } }],
      '0.envoyExtAuthzGrpc.includeRequestBodyInCheck.maxRequestBytes: ',
    ],
    ['without time', [{ name: 'a', envoyExtAuthzGrpc: { ...server, timeout: '0s' } }], '0.envoyExtAuthzGrpc.timeout: '],
    [
      'that would pass failures off as success',
      [{ name: 'a', envoyExtAuthzGrpc: { ...server, statusOnError: 200 } }],
      '0.envoyExtAuthzGrpc.statusOnError: ',
    ],
    [
      'with fields of the other kind',
      [{ name: 'a', envoyExtAuthzGrpc: { ...server, pathPrefix: '/' } }],
      '0.envoyExtAuthzGrpc: ',
    ],
    [
      'with a query in its prefix',
      [{ name: 'a', envoyExtAuthzHttp: { ...server, pathPrefix: '/a?b' } }],
      '0.envoyExtAuthzHttp.pathPrefix: ',
    ],
    [
      'with an asterisk amid a name',
      [{ name: 'a', envoyExtAuthzHttp: { ...server, headersToUpstreamOnAllow: ['x-*-id'] } }],
      '0.envoyExtAuthzHttp.headersToUpstreamOnAllow.0: ',
    ],
  ])('%s', (_, providers, problem) => {
    expect(problemsOf(...providers)).toEqual([expect.stringContaining(problem)])
  })
})
