// What a request is counted by, compiled: the values of a descriptor's entries.
import type { FilteredRequest } from '../../contracts/http-filter.ts'
import type { DescriptorEntrySpec, DescriptorSource } from './rate-limit.spec.ts'

/** Undefined: the request has none, and is not counted. */
export type ReadValue = (request: FilteredRequest) => string | undefined

export function compileEntry({ by, value }: DescriptorEntrySpec): ReadValue {
  const read = compileSource(by)
  if (value === undefined) return read
  return (request) => (read(request) === value ? value : undefined)
}

function compileSource(by: DescriptorSource): ReadValue {
  switch (by.kind) {
    case 'caller':
      return ({ peer }) => peer.principal ?? ''
    case 'header': {
      const { name } = by
      return ({ head }) => head.headers.get(name)
    }
    case 'method':
      return ({ head }) => head.method
    case 'path':
      return ({ path }) => path
    case 'address':
      return ({ peer }) => peer.remoteAddress
    case 'claim':
    default:
      return compileClaim(by.path)
  }
}

function compileClaim(path: readonly string[]): ReadValue {
  return ({ token }) => {
    let claim: unknown = token?.claims
    for (const key of path) {
      if (typeof claim !== 'object' || claim === null || !Object.hasOwn(claim, key)) return undefined
      claim = (claim as Readonly<Record<string, unknown>>)[key]
    }
    return typeof claim === 'string' || typeof claim === 'number' || typeof claim === 'boolean'
      ? String(claim)
      : undefined
  }
}
