// The cost of one authorization decision, from 10 rules to 10,000: policies over the wire, a request, a verdict. `node bench/micro/authorization.ts [decisions]`
import type { FilteredRequest, PeerFacts } from '../../src/contracts/http-filter.ts'
import { HeaderList } from '../../src/core/header-list.ts'
import { createAuthorizer } from '../../src/policies/authorization/authorization.runtime.ts'
import type { Authorizer } from '../../src/policies/authorization/authorization.runtime.ts'
import type { AppliedPolicy, AuthorizationRule } from '../../src/policies/authorization/authorization.spec.ts'
import { decodeAuthorization, encodeAuthorization } from '../../src/policies/authorization/authorization.xds.ts'

const [count = 1_000_000] = process.argv.slice(2).map(Number)

const namespace = (index: number): string => `team-${index}`
const account = (index: number): string => `mesh.local/ns/${namespace(index)}/sa/caller`
const path = (index: number): string => `/api/v1/resources/${index}`

/** How rules differ from each other. */
const shapes: Record<string, (index: number) => AuthorizationRule> = {
  'paths and principals': (index) => ({
    from: [{ source: { principals: [account(index)] } }],
    to: [{ operation: { methods: ['GET'], paths: [path(index)] } }],
  }),
  principals: (index) => ({
    from: [{ source: { principals: [account(index)] } }],
    to: [{ operation: { methods: ['GET'] } }],
  }),
  'beginnings of paths': (index) => ({ to: [{ operation: { methods: ['GET'], paths: [`${path(index)}/*`] } }] }),
  namespaces: (index) => ({ from: [{ source: { namespaces: [namespace(index)] } }] }),
}

function authorizerOf(rules: AuthorizationRule[]): Authorizer {
  const document = 'AuthorizationPolicy/default/bench'
  const policy: AppliedPolicy = {
    name: document,
    namespace: 'default',
    source: { document },
    ruleSources: [],
    spec: { action: 'ALLOW', rules, dryRun: false, reauthorize: false },
  }
  const place = { port: 80, protocol: 'http', defaultAction: 'DENY', trustDomains: ['mesh.local'] } as const
  return createAuthorizer(
    encodeAuthorization([policy], place).map((filter) =>
      decodeAuthorization(filter as Parameters<typeof decodeAuthorization>[0]),
    ),
  )
}

function requestOf(index: number, below: string): FilteredRequest {
  const peer: PeerFacts = {
    principal: `spiffe://${account(index)}`,
    address: '192.0.2.1',
    port: 40_000,
    remoteAddress: '192.0.2.1',
    localAddress: '192.0.2.2',
    localPort: 80,
    sni: undefined,
  }
  const head = {
    method: 'GET',
    scheme: 'http' as const,
    authority: 'shop.example',
    path: path(index) + below,
    headers: HeaderList.of(),
  }
  return { head, path: head.path, peer, body: undefined, token: undefined, authorization: undefined }
}

/** Nanoseconds of CPU a decision, on requests that differ. Every eleventh is one that no rule matches. */
function measure(authorizer: Authorizer, size: number, distinct: number, below: string): number {
  const requests = Array.from({ length: distinct }, (_, n) =>
    requestOf(n % 11 === 0 ? size + n : (n * 311) % size, below),
  )
  const round = (decisions: number): number => {
    const before = process.cpuUsage()
    for (let i = 0; i < decisions; i++) authorizer.authorize(requests[i % distinct] as FilteredRequest)
    const { user, system } = process.cpuUsage(before)
    return ((user + system) * 1e3) / decisions
  }
  round(count / 5)
  return Math.min(round(count), round(count), round(count))
}

for (const [name, toRule] of Object.entries(shapes)) {
  const below = name === 'beginnings of paths' ? '/items' : ''
  for (const size of [10, 100, 1_000, 10_000]) {
    const authorizer = authorizerOf(Array.from({ length: size }, (_, index) => toRule(index)))
    // What many different requests ask for lies outside the processor's caches.
    const figures = [97, 997].map((distinct) => measure(authorizer, size, distinct, below).toFixed(0))
    console.log(`${name}, ${size} rules: ${figures.join(' and ')} ns of CPU a decision, of 97 and 997 requests in turn`)
  }
}
