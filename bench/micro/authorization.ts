// The cost of one authorization decision, from 10 rules to 10,000: policies over the wire, a request, a verdict. `node bench/micro/authorization.ts [decisions]`
import type { FilteredRequest, PeerFacts } from '../../src/contracts/http-filter.ts'
import { HeaderList } from '../../src/core/header-list.ts'
import { createAuthorizer } from '../../src/policies/authorization/authorization.runtime.ts'
import type { Authorizer } from '../../src/policies/authorization/authorization.runtime.ts'
import type { AppliedPolicy, AuthorizationRule } from '../../src/policies/authorization/authorization.spec.ts'
import { decodeAuthorization, encodeAuthorization } from '../../src/policies/authorization/authorization.xds.ts'

const [count = 1_000_000] = process.argv.slice(2).map(Number)

const account = (index: number): string => `mesh.local/ns/default/sa/caller-${index}`
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
  namespaces: (index) => ({ from: [{ source: { namespaces: [`ns-${index}`] } }] }),
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
  return { head, path: head.path, peer, token: undefined, authorization: undefined }
}

/** Nanoseconds of CPU a decision, on requests that differ. Every eleventh request is one that no rule matches. */
function measure(authorizer: Authorizer, requests: readonly FilteredRequest[], decisions: number): number {
  const before = process.cpuUsage()
  for (let i = 0; i < decisions; i++) authorizer.authorize(requests[i % requests.length] as FilteredRequest)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1e3) / decisions
}

for (const [name, toRule] of Object.entries(shapes)) {
  const below = name === 'beginnings of paths' ? '/items' : ''
  for (const size of [10, 100, 1_000, 10_000]) {
    const authorizer = authorizerOf(Array.from({ length: size }, (_, index) => toRule(index)))
    const requests = Array.from({ length: 997 }, (_, n) => requestOf(n % 11 === 0 ? size + n : (n * 31) % size, below))
    const decisions = name === 'namespaces' ? Math.ceil(count / size) : count
    measure(authorizer, requests, Math.ceil(decisions / 5))
    const figures = [1, 2, 3].map(() => measure(authorizer, requests, decisions))
    console.log(`${name}, ${size} rules: ${Math.min(...figures).toFixed(0)} ns of CPU a decision`)
  }
}
