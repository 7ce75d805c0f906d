// What one pick of an endpoint costs, in nanoseconds, by algorithm and number of endpoints, with 64 requests under way: `node bench/micro/load-balancing.ts [picks]`
import type { LoadBalancedEndpoint } from '../../src/contracts/load-balancer.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createRandom } from '../../src/core/random.ts'
import { createLoadBalancer } from '../../src/policies/load-balancing/load-balancing.runtime.ts'
import type { LoadBalancingSpec } from '../../src/policies/load-balancing/load-balancing.spec.ts'

const [picks = 1_000_000] = process.argv.slice(2).map(Number)
const sizes = [10, 100, 10_000]
const rounds = 5

const specs: Readonly<Record<string, LoadBalancingSpec>> = {
  'least request': { kind: 'least-request', choiceCount: 2 },
  'round robin': { kind: 'round-robin' },
  random: { kind: 'random' },
  'peak EWMA': { kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 },
  'by reports of load': {
    kind: 'client-side-weighted-round-robin',
    blackoutMs: 0,
    weightExpirationMs: 180_000,
    weightUpdateMs: 1_000,
    errorUtilizationPenalty: 1,
  },
  'ring hash': { kind: 'ring-hash', minRingSize: 1_024, maxRingSize: 262_144 },
  'ring hash, bounded': { kind: 'ring-hash', minRingSize: 1_024, maxRingSize: 262_144, balanceFactorPercent: 125 },
  maglev: { kind: 'maglev', tableSize: 65_537 },
  'maglev, bounded': { kind: 'maglev', tableSize: 65_537, balanceFactorPercent: 125 },
}

function endpoints(count: number, weightOf: (index: number) => number): LoadBalancedEndpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    address: `10.0.${index >> 8}.${index & 255}:8080`,
    weight: weightOf(index),
    locality: undefined,
    localityWeight: undefined,
    labels: undefined,
    priority: 0,
    activeRequests: 0,
    available: true,
    sinceMs: -Infinity,
    latencyMs: 5,
    latencyAtMs: systemClock.monotonicMs(),
    reportedWeight: 0,
    reportedSinceMs: -Infinity,
    reportedAtMs: -Infinity,
    limitedShare: 1,
    limitedAtMs: -Infinity,
    limitedForMs: 0,
  }))
}

/** Of the fastest round; the others had company on the machine. */
function nanosecondsAPick(spec: LoadBalancingSpec, list: LoadBalancedEndpoint[]): number {
  const balancer = createLoadBalancer(list, spec, { clock: systemClock, random: createRandom(1) })
  const underWay: LoadBalancedEndpoint[] = []
  const run = (count: number): number => {
    const startMs = performance.now()
    for (let i = 0; i < count; i++) {
      const picked = balancer.pick(undefined, Math.imul(i, 0x9e3779b1) >>> 0) as LoadBalancedEndpoint
      picked.activeRequests++
      const over = underWay[i & 63]
      if (over !== undefined) over.activeRequests--
      underWay[i & 63] = picked
    }
    return ((performance.now() - startMs) * 1e6) / count
  }
  run(picks / rounds)
  return Math.min(...Array.from({ length: rounds }, () => run(picks / rounds)))
}

console.log(
  ['endpoints'.padEnd(30), ...sizes.map((size) => String(size).padStart(8)), '   table of the last, ms'].join(''),
)
for (const [name, spec] of Object.entries(specs)) {
  for (const [suffix, weightOf] of [
    ['', () => 1],
    [', weighted', (index: number) => 1 + (index % 3)],
  ] as const) {
    const costs = sizes.map((size) => nanosecondsAPick(spec, endpoints(size, weightOf)).toFixed(1).padStart(8))
    const last = endpoints(sizes.at(-1) as number, weightOf)
    const startMs = performance.now()
    createLoadBalancer(last, spec, { clock: systemClock, random: createRandom(1) })
    const builtMs = (performance.now() - startMs).toFixed(1)
    console.log([`${name}${suffix}`.padEnd(30), ...costs, builtMs.padStart(24)].join(''))
  }
}
