// The first of many policies that matches, in the order in which they were written, without looking at all: a policy is found by the exact
// paths that it demands, else by who asks, else by the beginnings of paths. Those that demand nothing are looked at one by one.
import type { FilteredRequest, PeerFacts } from '../../contracts/http-filter.ts'
import type { CelExpression } from '../../core/cel/expression.ts'
import type { RbacPolicy, WorkloadMatch } from './authorization.spec.ts'
import { compileCondition } from './condition-test.runtime.ts'
import { compileAll, workloadStart } from './rule-test.runtime.ts'
import type { CompiledLeaves, Rule, RuleTest } from './rule-test.runtime.ts'

export interface IndexedPolicy<T> {
  readonly order: number
  readonly value: T
  readonly test: RuleTest
  readonly demands: Readonly<Record<Demand, readonly string[] | undefined>>
}

type Demand = 'path' | 'principal' | 'account' | 'namespace' | 'prefix'

/** In the order of how few policies share one. `account` is namespace and service account, of whatever trust domain. */
const byDemand: readonly Demand[] = ['path', 'principal', 'account', 'namespace', 'prefix']

/** The first policy after `after` that matches and comes before `best`; else `best`. */
type Scan<T> = (
  peer: PeerFacts,
  request: FilteredRequest | undefined,
  after: number,
  best: IndexedPolicy<T> | undefined,
) => IndexedPolicy<T> | undefined

export interface PolicyIndex<T> {
  /** The first match, in order, after the policy of that order; -1: of all. */
  first(peer: PeerFacts, request: FilteredRequest | undefined, after: number): IndexedPolicy<T> | undefined
}

/** Throws an Error that names what cannot be compiled. `untold`: what counts for a condition that cannot be told. */
export function createPolicyIndex<T>(
  policies: readonly RbacPolicy[],
  toValue: (policy: RbacPolicy) => T,
  untold = false,
): PolicyIndex<T> {
  const leaves: CompiledLeaves = new Map()
  const scan = build(
    policies.map((policy, order) => compilePolicy(policy, order, toValue(policy), leaves, untold)),
    byDemand,
  )
  return { first: (peer, request, after) => scan(peer, request, after, undefined) }
}

function compilePolicy<T>(
  { permissions, principals, condition }: RbacPolicy,
  order: number,
  value: T,
  leaves: CompiledLeaves,
  untold: boolean,
): IndexedPolicy<T> {
  const parts: Rule[] = [
    { kind: 'or', rules: permissions },
    { kind: 'or', rules: principals },
  ]
  return {
    order,
    value,
    test:
      condition === undefined ? compileAll(parts, leaves) : withCondition(compileAll(parts, leaves), condition, untold),
    demands: {
      path: demandOfAny(permissions, 'path'),
      principal: demandOfAny(principals, 'principal'),
      account: demandOfAny(principals, 'account'),
      namespace: demandOfAny(principals, 'namespace'),
      prefix: demandOfAny(permissions, 'prefix'),
    },
  }
}

/** The condition last: it costs most. */
function withCondition(test: RuleTest, condition: CelExpression, untold: boolean): RuleTest {
  const holds = compileCondition(condition)
  return (peer, request) => test(peer, request) && (holds(peer, request) ?? untold)
}

/** The texts one of which must be there, or be the beginning; undefined: the rule can match without. */
function demandOf(rule: Rule, demand: Demand): readonly string[] | undefined {
  if (rule.kind === 'or') return demandOfAny(rule.rules, demand)
  if (rule.kind === 'and') {
    const demands = rule.rules.map((inner) => demandOf(inner, demand)).filter((texts) => texts !== undefined)
    return demands.toSorted((a, b) => a.length - b.length)[0]
  }
  if (rule.kind === 'template') return demand === 'prefix' ? [rule.template.split('*', 1)[0] as string] : undefined
  if (rule.kind === 'workload') return demandOfWorkload(rule, demand)
  if (rule.kind !== 'path' && rule.kind !== 'authenticated') return undefined
  const { match } = rule
  if (match.kind === 'present' || match.kind === 'regex' || match.ignoreCase) return undefined
  const asked = rule.kind === 'authenticated' ? demand === 'principal' : demand === 'path' || demand === 'prefix'
  return asked && (match.kind === 'exact' || (match.kind === 'prefix' && demand === 'prefix'))
    ? [match.value]
    : undefined
}

function demandOfWorkload({ namespace, serviceAccount }: WorkloadMatch, demand: Demand): readonly string[] | undefined {
  if (demand === 'namespace') return [namespace]
  return demand === 'account' && serviceAccount !== undefined ? [`${namespace}/sa/${serviceAccount}`] : undefined
}

function demandOfAny(rules: readonly Rule[], demand: Demand): readonly string[] | undefined {
  const texts = new Set<string>()
  for (const rule of rules) {
    const demanded = demandOf(rule, demand)
    if (demanded === undefined) return undefined
    for (const text of demanded) texts.add(text)
  }
  return [...texts]
}

/** Fewer are looked at one by one as fast. */
const fewPolicies = 4

function build<T>(policies: readonly IndexedPolicy<T>[], [demand, ...others]: readonly Demand[]): Scan<T> {
  if (demand === undefined || policies.length <= fewPolicies) return scanList(policies)
  const groups = new Map<string, IndexedPolicy<T>[]>()
  const rest: IndexedPolicy<T>[] = []
  for (const policy of policies) {
    const texts = policy.demands[demand]
    if (texts === undefined) rest.push(policy)
    else for (const text of texts) addTo(groups, text, policy)
  }
  const scanRest = build(rest, others)
  if (groups.size === 0) return scanRest
  const scans = new Map([...groups].map(([text, group]) => [text, build(group, others)]))
  const scanGroups = demand === 'prefix' ? scanPrefixes(scans) : scanKey(scans, demand)
  return (peer, request, after, best) => scanRest(peer, request, after, scanGroups(peer, request, after, best))
}

function addTo<T>(groups: Map<string, T[]>, key: string, item: T): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, [item])
  else group.push(item)
}

function scanList<T>(policies: readonly IndexedPolicy<T>[]): Scan<T> {
  const [only] = policies
  if (only !== undefined && policies.length === 1) {
    const { order, test } = only
    return (peer, request, after, best) =>
      order > after && (best === undefined || order < best.order) && test(peer, request) ? only : best
  }
  return (peer, request, after, best) => {
    for (let i = 0; i < policies.length; i++) {
      const policy = policies[i] as IndexedPolicy<T>
      if (best !== undefined && policy.order >= best.order) return best
      if (policy.order > after && policy.test(peer, request)) return policy
    }
    return best
  }
}

function scanKey<T>(scans: ReadonlyMap<string, Scan<T>>, demand: Exclude<Demand, 'prefix'>): Scan<T> {
  const keyOf = keys[demand]
  return (peer, request, after, best) => {
    const key = keyOf(peer, request)
    const scan = key === undefined ? undefined : scans.get(key)
    return scan === undefined ? best : scan(peer, request, after, best)
  }
}

const keys: Record<
  Exclude<Demand, 'prefix'>,
  (peer: PeerFacts, request: FilteredRequest | undefined) => string | undefined
> = {
  path: (_, request) => request?.path,
  principal: ({ principal }) => principal,
  account({ principal }) {
    const start = workloadStart(principal)
    return start === -1 ? undefined : principal?.slice(start)
  },
  namespace({ principal }) {
    const start = workloadStart(principal)
    return start === -1 ? undefined : principal?.slice(start, principal.indexOf('/', start))
  },
}

interface PrefixNode<T> {
  readonly prefix: string
  readonly scan: Scan<T>
  /** The longest other one that this one begins with. */
  readonly outer: PrefixNode<T> | undefined
}

function scanPrefixes<T>(scans: ReadonlyMap<string, Scan<T>>): Scan<T> {
  const nodes: PrefixNode<T>[] = []
  for (const prefix of [...scans.keys()].toSorted()) {
    let outer = nodes.at(-1)
    while (outer !== undefined && !prefix.startsWith(outer.prefix)) outer = outer.outer
    nodes.push({ prefix, scan: scans.get(prefix) as Scan<T>, outer })
  }
  return (peer, request, after, best) => {
    if (request === undefined) return best
    const { path } = request
    let found = best
    // Whatever the path begins with is the last one not after it, or lies outward of that.
    let node = nodes[lastNotAfter(nodes, path)]
    while (node !== undefined && !path.startsWith(node.prefix)) node = node.outer
    for (; node !== undefined; node = node.outer) found = node.scan(peer, request, after, found)
    return found
  }
}

function lastNotAfter<T>(nodes: readonly PrefixNode<T>[], path: string): number {
  let low = 0
  let high = nodes.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((nodes[middle] as PrefixNode<T>).prefix <= path) low = middle + 1
    else high = middle
  }
  return low - 1
}
