// What each policy costs: the mesh of the benchmark with one policy more, and with all of them on one route.
import { parseAllDocuments, stringify } from 'yaml'

/** What a policy adds to the documents of bench/mesh. */
interface PolicyUnderTest {
  readonly name: string
  /** Fields of a TrafficPolicy for the Service. */
  readonly traffic?: object
  /** Fields of each rule of its route. */
  readonly rule?: object
  /** Filters of each rule. */
  readonly filters?: readonly object[]
  readonly documents?: readonly object[]
}

const selector = { matchLabels: { app: 'app' } }
/** No request reaches them: what is measured is the counting. */
const highLimit = { maxTokens: 1_000_000, tokensPerFill: 1_000_000, fillInterval: '1s' }

/** Each is at work on every request, and changes the answer of none. */
const policies: readonly PolicyUnderTest[] = [
  {
    name: 'load-balancing',
    traffic: {
      loadBalancing: {
        algorithm: 'Maglev',
        hash: { on: [{ type: 'Header', name: 'x-request-id' }] },
        subsets: { keys: [{ label: 'version', header: 'x-version' }], fallback: 'Any' },
      },
    },
  },
  { name: 'sessions', rule: { sessionPersistence: { sessionName: 'place', type: 'Header' } } },
  { name: 'sticky-split', traffic: { trafficSplit: { stickyOn: [{ type: 'Header', name: 'x-request-id' }] } } },
  {
    name: 'retries',
    traffic: { retryConstraint: { budget: { percent: 10 } } },
    rule: { retry: { codes: [503], attempts: 2, backoff: '25ms' } },
  },
  {
    name: 'timeouts',
    traffic: { timeouts: { idle: '1m' } },
    rule: { timeouts: { request: '10s', backendRequest: '2s' } },
  },
  { name: 'hedging', traffic: { hedging: { mode: 'Auto', percentile: 95, factor: 2, minDelay: '100ms' } } },
  {
    name: 'circuit-breaker',
    traffic: {
      circuitBreaker: { maxRequests: 1_000, maxPendingRequests: 1_000, perCaller: { maxRequests: 1_000 } },
    },
  },
  {
    name: 'outlier-detection',
    traffic: { outlierDetection: { consecutive5xxErrors: 5, successRate: {}, latency: { factor: 5 } } },
  },
  { name: 'adaptive-concurrency', traffic: { adaptiveConcurrency: { minRtt: { minConcurrency: 64 } } } },
  {
    name: 'rate-limit',
    traffic: {
      rateLimit: {
        local: [
          { name: 'all', tokenBucket: highLimit },
          { name: 'per-caller', tokenBucket: highLimit, descriptor: [{ type: 'Caller' }] },
        ],
      },
    },
  },
  {
    name: 'faults',
    traffic: { faults: { headers: [{ name: 'x-test', value: 'on' }], abort: { httpStatus: 503 } } },
  },
  {
    name: 'headers',
    filters: [
      { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x-area', value: 'bench' }] } },
      { type: 'ResponseHeaderModifier', responseHeaderModifier: { add: [{ name: 'x-served-by', value: 'app' }] } },
    ],
  },
  {
    name: 'rewrite',
    filters: [{ type: 'URLRewrite', urlRewrite: { hostname: 'app.internal' } }],
  },
  { name: 'cors', filters: [{ type: 'CORS', cors: { allowOrigins: ['https://shop.example'] } }] },
  ...[
    {
      form: 'transformation',
      spec: { request: { set: [{ name: 'x-from', value: '%REQ(x-request-id)%' }] } },
    },
    // to compress costs what the codec costs: what is measured is finding out that it is not wanted
    { form: 'compression', spec: { contentTypes: ['text/html'] } },
    {
      form: 'typescript',
      spec: {
        code: `import type { Filter } from 'heddle/filter'
const filter: Filter = () => ({ onRequest: ({ headers }) => headers.set('x-filtered', 'yes') })
export default filter
`,
      },
    },
  ].map(({ form, spec }): PolicyUnderTest => ({
    name: form,
    filters: [{ type: 'ExtensionRef', extensionRef: { group: 'heddle.dev', kind: 'Filter', name: form } }],
    documents: [
      { apiVersion: 'heddle.dev/v1alpha1', kind: 'Filter', metadata: { name: form }, spec: { [form]: spec } },
    ],
  })),
  {
    name: 'mirror',
    filters: [{ type: 'RequestMirror', requestMirror: { percent: 1, backendRef: { name: 'app', port: 80 } } }],
  },
  {
    name: 'authorization',
    documents: [
      {
        apiVersion: 'heddle.dev/v1alpha1',
        kind: 'AuthorizationPolicy',
        metadata: { name: 'app' },
        spec: {
          selector,
          rules: [
            {
              from: [{ source: { principals: ['mesh.local/ns/default/sa/client'] } }],
              to: [{ operation: { methods: ['GET', 'POST'], paths: ['/api/*'] } }],
            },
          ],
        },
      },
    ],
  },
]

/** Names of the variants, with what makes one of the text of bench/mesh. */
export const policyVariants: ReadonlyMap<string, (text: string) => string> = new Map([
  ...policies.map((policy): [string, (text: string) => string] => [policy.name, withPolicies([policy])]),
  ['all', withPolicies(policies)],
])

function withPolicies(added: readonly PolicyUnderTest[]): (text: string) => string {
  const traffic = Object.assign({}, ...added.map((policy) => policy.traffic)) as object
  const rule = Object.assign({}, ...added.map((policy) => policy.rule)) as object
  const filters = added.flatMap((policy) => policy.filters ?? [])
  const documents = added.flatMap((policy) => policy.documents ?? [])
  return (text) => {
    const mesh = parseAllDocuments(text).map((document) => document.toJS() as Document)
    const route = mesh.find(({ kind, metadata }) => kind === 'HTTPRoute' && metadata.name === 'app')
    if (route !== undefined) route.spec.rules = route.spec.rules.map((one) => withRule(one, rule, filters))
    const policy = {
      apiVersion: 'heddle.dev/v1alpha1',
      kind: 'TrafficPolicy',
      metadata: { name: 'app' },
      spec: { targetRefs: [{ kind: 'Service', name: 'app' }], ...traffic },
    }
    return [...mesh, policy, ...documents].map((document) => stringify(document)).join('---\n')
  }
}

interface Document {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: { rules: Rule[] }
}

interface Rule {
  readonly filters?: readonly { readonly type: string }[]
}

/** A rule has one filter of a type, but for documents: its own stays. */
function withRule(rule: Rule, fields: object, filters: readonly object[]): Rule {
  const own = rule.filters ?? []
  const more = (filters as readonly { type: string }[]).filter(({ type }) => !own.some((one) => one.type === type))
  return { ...rule, ...fields, ...(own.length + more.length === 0 ? {} : { filters: [...own, ...more] }) }
}
