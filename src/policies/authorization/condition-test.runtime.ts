// A policy's condition in CEL, compiled: which attributes it asks for, and its verdict on their values.
import {
  conditionAttributes,
  isRequestAttribute,
  tokenFilter,
  tokenPayload,
} from '../../contracts/condition-attributes.ts'
import type { ConditionAttribute } from '../../contracts/condition-attributes.ts'
import type { FilteredRequest, PeerFacts, VerifiedToken } from '../../contracts/http-filter.ts'
import { type CelExpression, dottedName, rewriteCel } from '../../core/cel/expression.ts'
import { type CelValue, planCel } from '../../core/cel/library.ts'
import { celPatterns } from '../../core/cel/type-check.ts'
import { joinedHeaders } from '../joined-headers.runtime.ts'
import { compileSearch } from '../route-match/full-match.runtime.ts'

/** Undefined: it cannot be told. */
export type ConditionTest = (peer: PeerFacts, request: FilteredRequest | undefined) => boolean | undefined

/** Throws an Error that names a regular expression that is none. */
export function compileCondition(condition: CelExpression): ConditionTest {
  const tests = new Map(celPatterns(condition).map(({ pattern }) => [pattern, { test: compileSearch(pattern) }]))
  const { expression, asked } = flattened(condition)
  const names = [...asked]
  const plan = planCel(expression, tests)
  return (peer, request) => {
    const values: Record<string, CelValue> = {}
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as ConditionAttribute
      const value = readers[name](peer, request)
      values[presenceOf(name)] = value !== undefined
      if (value !== undefined) values[variableOf(name)] = value
    }
    return plan.evaluate(values)
  }
}

/** Whether it asks for something that connections do not have. */
export function asksForRequest(condition: CelExpression): boolean {
  return [...flattened(condition).asked].some(isRequestAttribute)
}

/** Each attribute as one variable, and whether it is there as another. */
function flattened(condition: CelExpression): { expression: CelExpression; asked: ReadonlySet<ConditionAttribute> } {
  const asked = new Set<ConditionAttribute>()
  const variable = (
    id: CelExpression['id'],
    name: string,
    toVariable: (name: string) => string,
  ): CelExpression | undefined => {
    if (!Object.hasOwn(conditionAttributes, name)) return undefined
    asked.add(name as ConditionAttribute)
    return { id, exprKind: { case: 'identExpr', value: { name: toVariable(name) } } }
  }
  const expression = rewriteCel(condition, (part) => {
    const { id, exprKind } = part
    if (exprKind.case === 'selectExpr' && exprKind.value.testOnly && exprKind.value.operand !== undefined)
      return variable(id, `${dottedName(exprKind.value.operand)}.${exprKind.value.field}`, presenceOf)
    return variable(id, dottedName(part) ?? '', variableOf)
  })
  return { expression, asked }
}

// "@" begins no name that anybody may write.

function variableOf(name: string): string {
  return `@${name.replaceAll('.', '_')}`
}

function presenceOf(name: string): string {
  return `@has_${name.replaceAll('.', '_')}`
}

type Reader = (peer: PeerFacts, request: FilteredRequest | undefined) => CelValue | undefined

const readers: Readonly<Record<ConditionAttribute, Reader>> = {
  'request.method': (_, request) => request?.head.method,
  'request.scheme': (_, request) => request?.head.scheme,
  'request.host': (_, request) => request?.head.authority,
  'request.path': (_, request) => request?.head.path,
  'request.url_path': (_, request) => request?.path,
  'request.query': (_, request) => request?.head.path.slice(request.path.length + 1),
  'request.headers': (_, request) => (request === undefined ? undefined : joinedHeaders(request.head.headers)),
  'source.address': ({ address, port, remoteAddress }) => hostPort(remoteAddress, remoteAddress === address ? port : 0),
  'destination.port': ({ localPort }) => BigInt(localPort),
  'connection.mtls': ({ principal }) => principal !== undefined,
  'connection.requested_server_name': ({ sni }) => sni,
  'connection.uri_san_peer_certificate': ({ principal }) => principal,
  'metadata.filter_metadata': (_, request) => (request === undefined ? undefined : metadataOf(request.token)),
}

/** As Envoy leaves them there. */
function metadataOf(token: VerifiedToken | undefined): Readonly<Record<string, unknown>> {
  if (token === undefined) return {}
  const { issuer, subject, audiences, claims } = token
  const payload = {
    ...(issuer !== '' && { iss: issuer }),
    ...(subject !== '' && { sub: subject }),
    aud: audiences,
    ...claims,
  }
  return { [tokenFilter]: { [tokenPayload]: payload } }
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
