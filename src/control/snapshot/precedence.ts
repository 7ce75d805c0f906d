// Which of several matching routes wins: the order of HTTPRouteMatch or of GRPCRouteMatch in the Gateway API, over all routes of one parent.
import type { GrpcMethodMatch } from '../../policies/route-match/grpc-match.schema.ts'
import type { RouteMatchSpec } from '../../policies/route-match/route-match.spec.ts'
import type { MeshRoute } from './mesh-snapshot.ts'
import { compareText } from './services.ts'

export interface RankedRoute {
  readonly route: MeshRoute
  /** "namespace/name". */
  readonly document: string
  readonly creationTimestamp?: string
  /** Of a GRPCRoute: the method as it is written, which ranks the match. Routes of both kinds never meet in one place. */
  readonly grpc?: Partial<GrpcMethodMatch>
  /** Of rule and match inside the document. */
  readonly order: number
}

/** First match wins. */
export function inOrderOfPrecedence(routes: readonly RankedRoute[]): MeshRoute[] {
  return routes.toSorted(compareRoutes).map((one) => one.route)
}

function compareRoutes(a: RankedRoute, b: RankedRoute): number {
  return (
    (a.grpc === undefined || b.grpc === undefined
      ? compareMatches(a.route.match, b.route.match)
      : compareGrpcMatches(a, b)) ||
    // RFC 3339 in UTC sorts as text; a document without a timestamp is younger than any that has one
    compareText(a.creationTimestamp ?? '~', b.creationTimestamp ?? '~') ||
    compareText(a.document, b.document) ||
    a.order - b.order
  )
}

/** The Gateway API leaves regular expressions open: they come after exact paths and before prefixes, which may be "/". */
const pathRank = { exact: 0, regex: 1, prefix: 2 } as const

function compareMatches(a: RouteMatchSpec, b: RouteMatchSpec): number {
  return (
    pathRank[a.path.kind] - pathRank[b.path.kind] ||
    b.path.value.length - a.path.value.length ||
    Number(b.method !== undefined) - Number(a.method !== undefined) ||
    b.headers.length - a.headers.length ||
    b.queryParams.length - a.queryParams.length
  )
}

/** Regular expressions count by their length as the others do, and come after an exact match of the same lengths. */
function compareGrpcMatches(a: RankedRoute, b: RankedRoute): number {
  const { service = '', method = '' } = a.grpc ?? {}
  const { service: otherService = '', method: otherMethod = '' } = b.grpc ?? {}
  return (
    otherService.length - service.length ||
    otherMethod.length - method.length ||
    b.route.match.headers.length - a.route.match.headers.length ||
    Number(a.grpc?.type === 'RegularExpression') - Number(b.grpc?.type === 'RegularExpression')
  )
}
