// A filter that changes header lines by what is known of the request. What nothing is known of is no line.
import { parseHeaderValue } from '../../contracts/header-value.ts'
import type { HeaderValuePart } from '../../contracts/header-value.ts'
import type { FilteredRequest, HttpFilter, VerifiedToken } from '../../contracts/http-filter.ts'
import type { ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { HeaderLineSpec, HeaderModifierSpec } from '../header-modifier/header-modifier.spec.ts'
import type { TransformationSpec } from './transformation.spec.ts'

type Value = (request: FilteredRequest, response: ResponseHead | undefined) => string
type Change = (headers: HeaderList, request: FilteredRequest, response: ResponseHead | undefined) => void

/** Throws an Error when a value cannot be read. */
export function transformationFilter(spec: TransformationSpec): HttpFilter {
  const request = compileChanges(spec.request)
  const response = compileChanges(spec.response)
  return {
    name: 'envoy.filters.http.header_mutation',
    apply(filtered) {
      for (const change of request) change(filtered.head.headers, filtered, undefined)
      return undefined
    },
    ...(response.length > 0 && {
      respond(filtered: FilteredRequest, head: ResponseHead): void {
        for (const change of response) change(head.headers, filtered, head)
      },
    }),
  }
}

function compileChanges({ set, add, remove }: HeaderModifierSpec): readonly Change[] {
  return [
    ...set.map(compileLine).map(({ name, value }): Change => (headers, request, response) => {
      const text = value(request, response)
      if (text === '') headers.delete(name)
      else headers.set(name, text)
    }),
    ...add.map(compileLine).map(({ name, value }): Change => (headers, request, response) => {
      const text = value(request, response)
      if (text !== '') headers.add(name, text)
    }),
    ...remove.map(
      (name): Change =>
        (headers) =>
          headers.delete(name),
    ),
  ]
}

function compileLine({ name, value }: HeaderLineSpec): { readonly name: string; readonly value: Value } {
  const parts = parseHeaderValue(value)
  if ('message' in parts) throw new Error(`the value of header ${name} cannot be made: ${parts.message}`)
  const values = parts.map(compilePart)
  const [first] = values
  if (first !== undefined && values.length === 1) return { name, value: first }
  return { name, value: (request, response) => values.reduce((text, one) => text + one(request, response), '') }
}

function compilePart(part: HeaderValuePart): Value {
  if (part.kind === 'text') return () => part.text
  const value = compileSource(part)
  const { maxLength } = part
  if (maxLength === undefined) return (request, response) => value(request, response) ?? ''
  return (request, response) => (value(request, response) ?? '').slice(0, maxLength)
}

type Source = (request: FilteredRequest, response: ResponseHead | undefined) => string | undefined

function compileSource(source: Exclude<HeaderValuePart, { kind: 'text' }>): Source {
  switch (source.kind) {
    case 'request-header': {
      const reads = source.names.map(requestPart)
      return (request) => firstOf(reads, request)
    }
    case 'response-header':
      return (_, response) => {
        for (const name of source.names) {
          const value = response?.headers.get(name)
          if (value !== undefined) return value
        }
        return undefined
      }
    case 'query-parameter':
      return ({ head }) => queryParameter(head.path, source.name)
    case 'path':
      return source.query ? ({ head }) => head.path : ({ head }) => withoutQuery(head.path)
    case 'claim':
      return ({ token }) => claimText(token, source.path)
    case 'caller':
      return ({ peer }) => peer.principal
    case 'remote-address':
      return ({ peer }) => peer.remoteAddress
    case 'direct-address':
      return ({ peer }) => peer.address
    case 'server-name':
      return ({ peer }) => peer.sni
    case 'status':
    default:
      return (_, response) => (response === undefined ? undefined : String(response.status))
  }
}

function firstOf(reads: readonly ((request: FilteredRequest) => string | undefined)[], request: FilteredRequest) {
  for (const read of reads) {
    const value = read(request)
    if (value !== undefined) return value
  }
  return undefined
}

function requestPart(name: string): (request: FilteredRequest) => string | undefined {
  switch (name) {
    case ':path':
      return ({ head }) => head.path
    case ':method':
      return ({ head }) => head.method
    case ':authority':
    case 'host':
      return ({ head }) => head.authority
    case ':scheme':
      return ({ head }) => head.scheme
    default:
      return ({ head }) => head.headers.get(name)
  }
}

function withoutQuery(path: string): string {
  const mark = path.indexOf('?')
  return mark === -1 ? path : path.slice(0, mark)
}

/** The first of that name, decoded. */
function queryParameter(path: string, name: string): string | undefined {
  const mark = path.indexOf('?')
  return mark === -1 ? undefined : (new URLSearchParams(path.slice(mark)).get(name) ?? undefined)
}

/** A text as it is, anything else as JSON. */
function claimText(token: VerifiedToken | undefined, path: readonly string[]): string | undefined {
  let claim: unknown = token?.claims
  for (const name of path) {
    if (typeof claim !== 'object' || claim === null || !Object.hasOwn(claim, name)) return undefined
    claim = (claim as Readonly<Record<string, unknown>>)[name]
  }
  return typeof claim === 'string' ? claim : JSON.stringify(claim)
}
