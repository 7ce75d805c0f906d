// The control plane's HTTP API on loopback: how the CLI, the supervisor and the dashboard ask and tell. fastify.
import { fastify, type FastifyInstance } from 'fastify'

import type { RoutesView } from '../../contracts/control-api.ts'
import { prometheusContentType } from '../../core/metrics/prometheus.ts'
import { answerFailures } from './answer-failures.ts'
import { ApiFailure } from './api-failure.ts'
import { guardApi, yamlTypes } from './api-guard.ts'
import { registerAuthorityRoutes } from './authority-routes.ts'
import type { ControlApiDeps } from './control-api-deps.ts'
import { registerDocumentRoutes } from './document-routes.ts'
import { registerJoinTokenRoutes } from './join-token-routes.ts'
import { registerSupervisorRoutes } from './supervisor-routes.ts'
import { registerTokenRoutes } from './token-routes.ts'

const jsonBodyBytes = 1024 * 1024
const yamlBodyBytes = 16 * 1024 * 1024

export interface ControlApi {
  /** "http://127.0.0.1:15014". */
  readonly url: string
  stop(): Promise<void>
}

/** Rejects with the system's error (EADDRINUSE) when the port cannot be had. */
export async function startControlApi(deps: ControlApiDeps, host: string, port: number): Promise<ControlApi> {
  const app = buildControlApi(deps)
  const url = await app.listen({ host, port })
  return { url, stop: () => app.close() }
}

/** Without a socket, for tests: `inject` asks it. */
export function buildControlApi(deps: ControlApiDeps): FastifyInstance {
  const app = fastify({ logger: false, bodyLimit: jsonBodyBytes, forceCloseConnections: true })
  guardApi(app, deps)
  answerFailures(app, deps.logger)
  app.addContentTypeParser([...yamlTypes], { parseAs: 'string', bodyLimit: yamlBodyBytes }, (_, body, done) =>
    done(null, body),
  )
  app.get('/v1/healthz', () => ({ status: 'ok', revision: deps.desired.value.revision }))
  app.get('/metrics', (_, reply) => reply.type(prometheusContentType).send(deps.renderMetrics()))
  app.get('/v1/mesh', ({ caller }) => {
    const mesh = deps.mesh()
    if (caller?.role === 'admin') return mesh
    const [dashboardUrl] = mesh.dashboardUrl?.split('#') ?? []
    return { ...mesh, adminToken: '', ...(dashboardUrl !== undefined && { dashboardUrl }) }
  })
  app.get('/v1/problems', () => ({ problems: [...deps.problems(), ...deps.workloadStatuses.problems()] }))
  app.get('/v1/proxies', () => ({ revision: deps.desired.value.revision, proxies: deps.proxies() }))
  app.get<{ Params: { namespace: string; name: string; routes: string } }>(
    '/v1/workloads/:namespace/:name/routes/:routes',
    ({ params: { namespace, name, routes } }): RoutesView => {
      const body = deps.routesOf(namespace, name, routes)
      if (body !== undefined) return { body: Buffer.from(body).toString('base64') }
      throw new ApiFailure(404, { code: 'not-found', message: `${namespace}/${name} gets no routes ${routes}` })
    },
  )
  registerDocumentRoutes(app, deps)
  registerSupervisorRoutes(app, deps)
  registerAuthorityRoutes(app, deps.authority)
  registerTokenRoutes(app, deps.tokens)
  registerJoinTokenRoutes(app, deps.joinTokens)
  deps.registerReadApi(app)
  return app
}
