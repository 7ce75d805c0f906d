// A running TypeScript filter as one of the HTTP filters that a request passes.
import type { FilteredRequest, FilterResult, HttpFilter } from '../../contracts/http-filter.ts'
import { type ExchangeFacts, FilterPass } from './filter-pass.runtime.ts'
import type { RunningFilter } from './running-filter.runtime.ts'

export function typescriptFilter(filter: RunningFilter): HttpFilter {
  return {
    name: filter.spec.name,
    apply(request) {
      const { path } = request.head
      const result = passOf(request).passRequest(filter, request.head, request.body)
      if (!(result instanceof Promise)) return seen(request, path, result)
      return result.then((refusal) => seen(request, path, refusal))
    },
  }
}

/** It may have another path now. */
function seen(request: FilteredRequest, before: string, result: FilterResult): FilterResult {
  const { path } = request.head
  if (path === before) return result
  const query = path.indexOf('?')
  request.path = query === -1 ? path : path.slice(0, query)
  return result
}

/** All filters of one exchange share it. Nobody else makes one. */
function passOf(request: FilteredRequest): FilterPass {
  return (request.responsePass ??= new FilterPass(new RequestFacts(request))) as FilterPass
}

class RequestFacts implements ExchangeFacts {
  readonly #request: FilteredRequest

  constructor(request: FilteredRequest) {
    this.#request = request
  }

  get caller(): ExchangeFacts['caller'] {
    const { principal, remoteAddress } = this.#request.peer
    return { principal, address: remoteAddress }
  }

  get claims(): ExchangeFacts['claims'] {
    return this.#request.token?.claims
  }
}
