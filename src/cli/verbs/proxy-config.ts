// `heddle proxy-config`: what one proxy runs, from its own admin API.
import { errorMessage } from '../../core/errors.ts'
import type { ConfigDump } from '../../proxy/admin/config-dump.ts'
import type { Route } from '../../proxy/runtime/runtime-config.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { openProxies } from '../mesh/running-mesh.ts'
import { SidecarClient, findProxy } from '../mesh/sidecar-client.ts'
import type { TableView } from '../output.ts'

export type ConfigPart = 'listeners' | 'routes' | 'clusters' | 'endpoints'

export async function proxyConfig(
  context: CliContext,
  name: string,
  part: ConfigPart | undefined,
  options: MeshOptions,
): Promise<ExitCode> {
  const mesh = await openProxies(context, options)
  const proxy = findProxy(mesh, name)
  const client = new SidecarClient(mesh.adminToken)
  const dump = await client.admin<ConfigDump>(proxy, '/config_dump').catch((error: unknown) => {
    throw new CliError(`${proxy.namespace}/${proxy.name} does not answer: ${errorMessage(error)}`, {
      hint: 'heddle check says what is wrong',
      exitCode: 1,
    })
  })
  client.close()
  const parts: readonly ConfigPart[] = part === undefined ? ['listeners', 'routes', 'clusters', 'endpoints'] : [part]
  if (options.output === 'table') {
    parts.forEach((one, index) => {
      if (index > 0) context.output.line()
      context.output.table(views[one](dump))
    })
  } else await context.output.structured(options.output, part === undefined ? dump : values[part](dump))
  return 0
}

const values: Record<ConfigPart, (dump: ConfigDump) => unknown> = {
  listeners: ({ listeners }) => listeners,
  routes: ({ routeConfigurations }) => routeConfigurations,
  clusters: ({ clusters }) => clusters,
  endpoints: ({ clusters }) => clusters.map(({ name, endpoints }) => ({ cluster: name, endpoints })),
}

const views: Record<ConfigPart, (dump: ConfigDump) => TableView> = {
  listeners: ({ listeners }) => ({
    columns: [{ header: 'LISTENER' }, { header: 'ADDRESS' }, { header: 'DIRECTION' }, { header: 'ACCEPTS' }],
    rows: listeners.map(({ name, host, port, direction, filterChains }) => [
      name,
      `${host}:${port}`,
      direction,
      filterChains.map(({ match, tls }) => (tls?.kind === 'mesh' ? 'mTLS' : match.transport)).join(', '),
    ]),
    empty: 'no listeners',
  }),
  routes: ({ routeConfigurations }) => ({
    columns: [
      { header: 'ROUTE CONFIGURATION' },
      { header: 'DOMAINS' },
      { header: 'ROUTE' },
      { header: 'TO' },
      { header: 'FROM' },
    ],
    rows: routeConfigurations.flatMap(({ name, virtualHosts }) =>
      virtualHosts.flatMap(({ domains, routes }) =>
        routes.map((route) => [name, domains.join(', '), route.name, describeAction(route), describeSource(route)]),
      ),
    ),
    empty: 'no routes: they are subscribed on demand, with the first request to a service',
  }),
  clusters: ({ clusters }) => ({
    columns: [
      { header: 'CLUSTER' },
      { header: 'DISCOVERY' },
      { header: 'ENDPOINTS', align: 'right' },
      { header: 'PEERS' },
    ],
    rows: clusters.map(({ name, discovery, endpoints, peerSpiffeIds }) => [
      name,
      discovery,
      String(endpoints.length),
      peerSpiffeIds.join(', '),
    ]),
    empty: 'no clusters',
  }),
  endpoints: ({ clusters }) => ({
    columns: [
      { header: 'CLUSTER' },
      { header: 'ENDPOINT' },
      { header: 'WORKLOAD' },
      { header: 'WEIGHT', align: 'right' },
      { header: 'MTLS' },
    ],
    rows: clusters.flatMap(({ name, endpoints }) =>
      endpoints.map(({ host, port, workload, weight, tls }) => [
        name,
        `${host}:${port}`,
        workload === undefined ? '' : `${workload.namespace}/${workload.name}`,
        String(weight),
        tls ? 'yes' : 'plaintext',
      ]),
    ),
    empty: 'no endpoints',
  }),
}

function describeAction({ action }: Route): string {
  if (action.kind === 'redirect') return 'redirect'
  if (action.kind === 'direct-response') return `answer ${action.status}`
  const [only, ...others] = action.backends
  if (only !== undefined && others.length === 0) return only.cluster
  return action.backends.map(({ cluster, weight }) => `${weight}× ${cluster}`).join(', ')
}

function describeSource({ source }: Route): string {
  if (source === undefined) return ''
  return source.file === undefined ? source.document : `${source.file}:${source.line}`
}
