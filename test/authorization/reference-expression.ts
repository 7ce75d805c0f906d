// A condition in CEL by the library's plain evaluator: the text as written, on nested values, all of them each time.
import { celEnv, parse, plan } from '@bufbuild/cel'

import type { CaseRequest } from './authorization-case.ts'

const environment = celEnv()
const plans = new Map<string, ReturnType<typeof plan>>()

/** Undefined: it cannot be told. */
export function holdsByReference(condition: string, request: CaseRequest): boolean | undefined {
  const { method, path, host, headers, principal, address = '192.0.2.1', remoteAddress = address, token, sni } = request
  const [urlPath = '', ...query] = path.split('?')
  const lines: Record<string, string> = {}
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    lines[key] = lines[key] === undefined ? value : `${lines[key]},${value}`
  }
  const payload = token && {
    ...(token.issuer === '' ? {} : { iss: token.issuer }),
    ...(token.subject === '' ? {} : { sub: token.subject }),
    aud: token.audiences,
    ...token.claims,
  }
  const values = {
    request: {
      method,
      path,
      url_path: urlPath,
      query: query.join('?'),
      host: host.toLowerCase(),
      scheme: 'http',
      headers: lines,
      auth: payload === undefined ? {} : { claims: payload },
    },
    source: {
      ...(principal === undefined ? {} : { principal }),
      address: `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remoteAddress === address ? 40_000 : 0}`,
    },
    destination: { port: BigInt(request.port) },
    connection: { mtls: principal !== undefined, ...(sni === undefined ? {} : { requested_server_name: sni }) },
    metadata: {
      filter_metadata: payload === undefined ? {} : { 'envoy.filters.http.jwt_authn': { payload } },
    },
  }
  const evaluate = plans.get(condition) ?? plan(environment, parse(condition).expr)
  plans.set(condition, evaluate)
  const result = evaluate(values)
  return typeof result === 'boolean' ? result : undefined
}
