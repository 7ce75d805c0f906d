// Who serves which choice, and what becomes of requests that choose nothing or what nobody has.
import { beforeEach, describe, expect, it } from 'vitest'

import { balancedEndpoint } from '../../../test/kit/balanced-endpoints.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { createLoadBalancer } from './load-balancing.runtime.ts'
import type { LoadBalancingSpec, SubsetsSpec } from './load-balancing.spec.ts'
import { compileSubsetChoice } from './subsets.runtime.ts'
import { subsetsSchema, toSubsetKeys, toSubsetsSpec, type SubsetSettings } from './subsets.schema.ts'

const keys = [
  { label: 'version', header: 'X-Version' },
  { label: 'stage', header: 'x-stage' },
]

function settings(others: object = {}): SubsetSettings {
  return subsetsSchema.parse({ keys, ...others })
}

let list: LoadBalancedEndpoint[]

beforeEach(() => {
  const labelled: (Record<string, string> | undefined)[] = [
    { version: 'v1', stage: 'prod' },
    { version: 'v1', stage: 'test' },
    { version: 'v2', stage: 'prod' },
    { stage: 'prod' },
    undefined,
  ]
  list = labelled.map((labels, i) => balancedEndpoint({ address: `10.0.0.${i}:80`, labels }))
})

/** Places in the list of those that get some of many requests with these headers. */
function places(
  subsets: SubsetsSpec,
  headers: Record<string, string>,
  spec: LoadBalancingSpec = { kind: 'least-request', choiceCount: 2 },
  avoid: ReadonlySet<LoadBalancedEndpoint> = new Set(),
): number[] {
  const balancer = createLoadBalancer(list, { ...spec, subsets }, { clock: new ManualClock(), random: createRandom(1) })
  const choice = compileSubsetChoice(toSubsetKeys(settings()))(HeaderList.of(...Object.entries(headers)))
  const picked = Array.from({ length: 200 }, (_, i) => balancer.pick(avoid, Math.imul(i, 0x9e3779b1) >>> 0, choice))
  const found = new Set(picked.map((endpoint) => (endpoint === undefined ? -1 : list.indexOf(endpoint))))
  return [...found].toSorted((a, b) => a - b)
}

describe('subsets', () => {
  it('serve what chooses them, by one label or by several', () => {
    const spec = toSubsetsSpec(settings())
    expect(places(spec, { 'x-version': 'v1' })).toEqual([0, 1])
    expect(places(spec, { 'x-stage': 'prod' })).toEqual([0, 2, 3])
    expect(places(spec, { 'x-version': 'v1', 'x-stage': 'prod' })).toEqual([0])
    expect(places(spec, {})).toEqual([0, 1, 2, 3, 4])
    expect(places(spec, { 'x-version': '' })).toEqual([0, 1, 2, 3, 4])
  })

  it('leave what nobody has to any endpoint, to the default ones, or to nobody', () => {
    const unknown = { 'x-version': 'v3' }
    const labels = { default: { version: 'v1' } }
    expect(places(toSubsetsSpec(settings()), unknown)).toEqual([0, 1, 2, 3, 4])
    expect(places(toSubsetsSpec(settings({ fallback: 'None' })), unknown)).toEqual([-1])
    expect(places(toSubsetsSpec(settings(labels)), unknown)).toEqual([0, 1])
    expect(places(toSubsetsSpec(settings({ ...labels, fallback: 'None' })), unknown)).toEqual([-1])
    expect(places(toSubsetsSpec(settings({ ...labels, fallback: 'Any' })), unknown)).toEqual([0, 1, 2, 3, 4])
    // each label is there, the combination is not
    expect(places(toSubsetsSpec(settings(labels)), { 'x-version': 'v2', 'x-stage': 'test' })).toEqual([0, 1])
  })

  it('send what chooses nothing to the default ones', () => {
    const spec = toSubsetsSpec(settings({ default: { version: 'v2' }, fallback: 'None' }))
    expect(places(spec, {})).toEqual([2])
    expect(places(spec, { 'x-version': 'v1' })).toEqual([0, 1])
    expect(places(toSubsetsSpec(settings({ default: { version: 'v9' } })), {})).toEqual([-1])
  })

  it('are where a request stays when it is repeated, and where keys lead', () => {
    const spec = toSubsetsSpec(settings())
    const [first] = list as [LoadBalancedEndpoint]
    expect(places(spec, { 'x-version': 'v1' }, undefined, new Set([first]))).toEqual([1])
    expect(places(spec, { 'x-version': 'v1' }, { kind: 'maglev', tableSize: 251 })).toEqual([0, 1])
    const balancer = createLoadBalancer(
      list,
      { kind: 'round-robin', subsets: spec },
      { clock: new ManualClock(), random: createRandom(1) },
    )
    expect(balancer.countOf?.('version=v1')).toBe(2)
    expect(balancer.countOf?.(undefined)).toBe(5)
  })

  it('have a panic threshold of their own', () => {
    list[0] = balancedEndpoint({ address: '10.0.0.0:80', labels: { version: 'v1', stage: 'prod' }, available: false })
    expect(places(toSubsetsSpec(settings()), { 'x-version': 'v1', 'x-stage': 'prod' })).toEqual([0])
    expect(places(toSubsetsSpec(settings()), { 'x-version': 'v1' })).toEqual([1])
  })
})

describe('what is written of subsets', () => {
  it.each([
    ['a label twice', { keys: [keys[0], { label: 'version', header: 'x-other' }] }, 'label "version" occurs twice'],
    ['a header twice', { keys: [keys[0], { label: 'stage', header: 'x-version' }] }, 'header "x-version" occurs twice'],
    ['a fallback to nothing', { keys, fallback: 'Default' }, '"default" is missing'],
    ['a default of nothing', { keys, default: {} }, 'names no label'],
    ['no key', { keys: [] }, 'expected array to have >=1 items'],
  ])('is refused: %s', (_, document, message) => {
    expect(JSON.stringify(subsetsSchema.safeParse(document).error?.issues)).toContain(
      JSON.stringify(message).slice(1, -1),
    )
  })

  it('falls back to what serves, unless it says otherwise', () => {
    expect(settings().fallback).toBe('Any')
    expect(settings({ default: { version: 'v1' } }).fallback).toBe('Default')
  })
})
