// How people name kinds and documents on the command line.
import type { DocumentKey } from '../../contracts/control-api.ts'

/** "HTTPRoute/default/reviews". */
export function describeKey({ kind, namespace, name }: DocumentKey): string {
  return [kind, namespace, name].filter((part) => part !== '').join('/')
}

/** "httproute", "HTTPRoutes", "gatewayclasses", "authorizationpolicies" all name their kind. */
export function isKind(kind: string, wanted: string): boolean {
  const singular = kind.toLowerCase()
  const text = wanted.toLowerCase()
  return [singular, `${singular}s`, `${singular}es`, singular.replace(/y$/, 'ies')].includes(text)
}
