// Second half of the route step: the first route of a virtual host that matches. Exact paths are looked up, the others tried in order.
import type { MatchInput } from '../../policies/route-match/route-match.runtime.ts'
import type { CompiledRoute } from './compiled-route.ts'

interface Candidate {
  /** Place in the list: the smaller one wins. */
  readonly order: number
  readonly compiled: CompiledRoute
}

/** Comparing so few paths is faster than looking one up: the hash of a path that nobody has seen takes longer. */
const comparedPaths = 8

const noCandidates: readonly Candidate[] = []

export class RouteList {
  readonly #byExactPath = new Map<string, Candidate[]>()
  readonly #others: Candidate[] = []

  constructor(routes: readonly CompiledRoute[]) {
    const exactPaths = routes.filter(({ route }) => route.match.path.kind === 'exact').length
    for (const [order, compiled] of routes.entries()) {
      const { match } = compiled.route
      const candidate = { order, compiled }
      if (match.path.kind !== 'exact' || exactPaths <= comparedPaths) this.#others.push(candidate)
      else {
        const samePath = this.#byExactPath.get(match.path.value)
        if (samePath === undefined) this.#byExactPath.set(match.path.value, [candidate])
        else samePath.push(candidate)
      }
    }
  }

  /** Walks both ordered lists as one. */
  find(input: MatchInput): CompiledRoute | undefined {
    if (this.#byExactPath.size === 0) return this.#firstOther(input)
    const exact = this.#byExactPath.get(input.path) ?? noCandidates
    const others = this.#others
    for (let e = 0, o = 0; ;) {
      const nextExact = exact[e]
      const nextOther = others[o]
      const exactFirst = nextExact !== undefined && (nextOther === undefined || nextExact.order < nextOther.order)
      const candidate = exactFirst ? nextExact : nextOther
      if (candidate === undefined) return undefined
      if (candidate.compiled.matches(input)) return candidate.compiled
      if (exactFirst) e++
      else o++
    }
  }

  #firstOther(input: MatchInput): CompiledRoute | undefined {
    const others = this.#others
    for (let at = 0; at < others.length; at++) {
      const { compiled } = others[at] as Candidate
      if (compiled.matches(input)) return compiled
    }
    return undefined
  }
}
