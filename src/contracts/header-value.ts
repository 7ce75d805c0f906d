// Values of header lines with Envoy's command operators: "%REQ(x-user)%". What both planes and whoever writes them agree on.
import { tokenFilter, tokenPayload } from './condition-attributes.ts'

export type HeaderValuePart =
  | { readonly kind: 'text'; readonly text: string }
  | (HeaderValueSource & {
      /** In characters. */
      readonly maxLength?: number
    })

export type HeaderValueSource =
  /** Of the first of the names that there is; `name` in lower case, or ":path" and the like. */
  | { readonly kind: 'request-header' | 'response-header'; readonly names: readonly string[] }
  | { readonly kind: 'query-parameter'; readonly name: string }
  | { readonly kind: 'path'; readonly query: boolean }
  /** Of a verified token. */
  | { readonly kind: 'claim'; readonly path: readonly string[] }
  | { readonly kind: 'caller' | 'remote-address' | 'direct-address' | 'server-name' | 'status' }

export interface HeaderValueFault {
  readonly message: string
  /** Of what is wrong, in the text. */
  readonly offset: number
}

const plain: Readonly<Record<string, HeaderValueSource>> = {
  DOWNSTREAM_PEER_URI_SAN: { kind: 'caller' },
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: { kind: 'remote-address' },
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: { kind: 'direct-address' },
  REQUESTED_SERVER_NAME: { kind: 'server-name' },
  RESPONSE_CODE: { kind: 'status' },
}

/** By their names; a text that says what is wrong with the argument. */
const withArgument: Readonly<Record<string, (argument: string) => HeaderValueSource | string>> = {
  REQ: (argument) =>
    headerSource('request-header', argument, /^(?:[a-z0-9!#$&'*+\-.^_`|~]+|:(?:path|method|authority|scheme))$/),
  RESP: (argument) => headerSource('response-header', argument, /^[a-z0-9!#$&'*+\-.^_`|~]+$/),
  QUERY_PARAM: (argument) => (argument === '' ? 'a name is missing' : { kind: 'query-parameter', name: argument }),
  PATH: (argument) => {
    if (argument === 'WQ' || argument === 'NQ') return { kind: 'path', query: argument === 'WQ' }
    return 'WQ (with query) or NQ (without) is expected'
  },
  DYNAMIC_METADATA(argument) {
    const [filter, payload, ...path] = argument.split(':')
    if (filter === tokenFilter && payload === tokenPayload && path.length > 0 && !path.includes(''))
      return { kind: 'claim', path }
    return `only claims are known: ${tokenFilter}:${tokenPayload}:<claim>`
  },
}

const headerOperators: readonly string[] = [...Object.keys(withArgument), ...Object.keys(plain)]

function headerSource(
  kind: 'request-header' | 'response-header',
  argument: string,
  pattern: RegExp,
): HeaderValueSource | string {
  const names = argument.toLowerCase().split('?')
  if (names.length > 2) return 'one name and one for when it is missing are expected'
  const wrong = names.find((name) => !pattern.test(name))
  return wrong === undefined ? { kind, names } : `"${wrong}" is no header name`
}

/** "NAME", "NAME(argument)", either with ":length" behind. */
const operator = /^([A-Z_]+)(?:\(([^()%]*)\))?(?::([0-9]{1,5}))?$/

export function parseHeaderValue(text: string): readonly HeaderValuePart[] | HeaderValueFault {
  const parts: HeaderValuePart[] = []
  let literal = ''
  const endLiteral = (): void => {
    if (literal !== '') parts.push({ kind: 'text', text: literal })
    literal = ''
  }
  for (let at = 0; at < text.length;) {
    const start = text.indexOf('%', at)
    literal += text.slice(at, start === -1 ? text.length : start)
    if (start === -1) break
    const end = text.indexOf('%', start + 1)
    if (end === -1) return { message: 'an operator has no second "%": a single one is written "%%"', offset: start }
    at = end + 1
    if (end === start + 1) {
      literal += '%'
      continue
    }
    const part = parseOperator(text.slice(start + 1, end))
    if (typeof part === 'string') return { message: part, offset: start }
    endLiteral()
    parts.push(part)
  }
  endLiteral()
  return parts
}

function parseOperator(text: string): HeaderValuePart | string {
  const [, name, argument, length] = operator.exec(text) ?? []
  if (name === undefined) return `"%${text}%" is no operator: %NAME%, %NAME(argument)% or %NAME(argument):length% are`
  const bound = length === undefined ? {} : { maxLength: Number(length) }
  const read = Object.hasOwn(withArgument, name) ? withArgument[name] : undefined
  if (read !== undefined) {
    if (argument === undefined) return `%${name}% needs an argument: %${name}(...)%`
    const source = read(argument)
    return typeof source === 'string' ? `%${name}(...)%: ${source}` : { ...source, ...bound }
  }
  const source = Object.hasOwn(plain, name) ? plain[name] : undefined
  if (source === undefined) return `%${name}% is not known; known are ${headerOperators.join(', ')}`
  return argument === undefined ? { ...source, ...bound } : `%${name}% takes no argument`
}

/** What only a response has. */
export function isOfResponse(part: HeaderValuePart): boolean {
  return part.kind === 'response-header' || part.kind === 'status'
}
