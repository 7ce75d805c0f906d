// Subsets of the endpoints by their labels (Envoy: subset load balancing): a request goes to those that have what it chooses by, or as the fallback says.
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { SubsetFallback, SubsetKeySpec, SubsetsSpec } from './load-balancing.spec.ts'

/** What a request chooses by, in one text; undefined: nothing. */
export type SubsetChoice = (headers: HeaderList) => string | undefined

type Pick<E extends LoadBalancedEndpoint> = LoadBalancer<E>['pick']

export function compileSubsetChoice(keys: readonly SubsetKeySpec[]): SubsetChoice {
  const sorted = keys.toSorted((a, b) => (a.label < b.label ? -1 : 1))
  return (headers) => {
    let choice: string | undefined
    for (const { label, header } of sorted) {
      const value = headers.get(header)
      // As Envoy has it: an empty header chooses nothing.
      if (value === undefined || value === '') continue
      const pair = `${label}=${value}`
      choice = choice === undefined ? pair : `${choice}\n${pair}`
    }
    return choice
  }
}

/** `compile`: what picks among some of the endpoints; made when a subset is first asked for. */
export function compileSubsets<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  { selectors, fallback, defaultSubset }: SubsetsSpec,
  compile: (some: readonly E[]) => Pick<E>,
): Required<globalThis.Pick<LoadBalancer<E>, 'pick' | 'countOf'>> {
  const byKeys = new Map(selectors.map((selector) => [selector.keys.toSorted().join('\n'), selector.fallback]))
  const chosen = new Map<string, Subset<E>>()
  for (const keys of byKeys.keys()) {
    for (const [choice, members] of Map.groupBy(endpoints, ({ labels }) => choiceOf(labels, keys.split('\n'))))
      if (choice !== undefined) chosen.set(choice, new Subset(members, compile))
  }
  const wanted = Object.entries(defaultSubset)
  const rest: Readonly<Record<SubsetFallback, Subset<E>>> = {
    none: new Subset([], compile),
    any: new Subset(endpoints, compile),
    default: new Subset(
      endpoints.filter(({ labels }) => wanted.every(([key, value]) => labels?.[key] === value)),
      compile,
    ),
  }
  const serving = (choice: string | undefined): Subset<E> => {
    if (choice === undefined) return rest[fallback]
    return chosen.get(choice) ?? rest[byKeys.get(keysOf(choice)) ?? fallback]
  }
  return {
    pick: (avoid, hash, choice) => serving(choice).pick(avoid, hash),
    countOf: (choice) => serving(choice).members.length,
  }
}

class Subset<E extends LoadBalancedEndpoint> {
  readonly members: readonly E[]
  readonly #compile: (members: readonly E[]) => Pick<E>
  #pick: Pick<E> | undefined

  constructor(members: readonly E[], compile: (members: readonly E[]) => Pick<E>) {
    this.members = members
    this.#compile = compile
  }

  get pick(): Pick<E> {
    return (this.#pick ??= this.#compile(this.members))
  }
}

/** As `compileSubsetChoice` writes it; undefined: it lacks one of them. */
function choiceOf(labels: LoadBalancedEndpoint['labels'], keys: readonly string[]): string | undefined {
  if (labels === undefined || keys.some((key) => labels[key] === undefined)) return undefined
  return keys.map((key) => `${key}=${labels[key]}`).join('\n')
}

function keysOf(choice: string): string {
  return choice
    .split('\n')
    .map((pair) => pair.slice(0, pair.indexOf('=')))
    .join('\n')
}
