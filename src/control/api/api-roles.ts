// Who may do what: the role that each route of the API asks for.
import type { ApiRole } from '../../contracts/control-api.ts'

const rank: Readonly<Record<ApiRole, number>> = { viewer: 0, operator: 1, admin: 2 }

export const apiRoles: readonly ['viewer', 'operator', 'admin'] = ['viewer', 'operator', 'admin']

const roleOfRoute: Readonly<Record<string, ApiRole>> = {
  'GET /v1/mesh': 'viewer',
  'GET /v1/problems': 'viewer',
  'GET /v1/proxies': 'viewer',
  'GET /v1/workloads/:namespace/:name/routes/:routes': 'viewer',
  'GET /v1/openapi.json': 'viewer',
  'GET /v1/topology': 'viewer',
  'GET /v1/edges': 'viewer',
  'GET /v1/traffic': 'viewer',
  'GET /v1/services/:namespace/:name': 'viewer',
  'GET /v1/services/:namespace/:name/endpoints': 'viewer',
  'GET /v1/workloads': 'viewer',
  'GET /v1/workloads/:namespace/:name': 'viewer',
  'GET /v1/series': 'viewer',
  'GET /v1/events': 'viewer',
  'GET /v1/requests': 'viewer',
  'GET /v1/requests/:id': 'viewer',
  'GET /v1/configuration': 'viewer',
  'GET /v1/revisions': 'viewer',
  'GET /v1/difference': 'viewer',
  'GET /v1/security': 'viewer',
  'GET /v1/live': 'viewer',
  'GET /v1/tap': 'viewer',
  'GET /v1/documents': 'viewer',
  'GET /v1/documents/:kind/:namespace/:name': 'viewer',
  'GET /v1/workload-statuses': 'viewer',
  'GET /v1/authority': 'viewer',
  'GET /v1/authority/bundle': 'viewer',
  'POST /v1/authority/rotations': 'operator',
  'POST /v1/authority/revocations': 'operator',
  'PUT /v1/documents': 'operator',
  'DELETE /v1/documents/:kind/:namespace/:name': 'operator',
}

/** `url` is the route's pattern. What is not in the table is the administrator's: the supervisor's calls, tokens, whatever was forgotten. */
export function requiredRole(method: string, url: string | undefined): ApiRole {
  // there is nothing to be had
  if (url === undefined) return 'viewer'
  return roleOfRoute[`${method === 'HEAD' ? 'GET' : method} ${url}`] ?? 'admin'
}

export function mayAct(role: ApiRole, required: ApiRole): boolean {
  return rank[role] >= rank[required]
}
