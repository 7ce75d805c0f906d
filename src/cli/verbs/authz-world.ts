// What `heddle authz check` asks: a running mesh, or documents. Of both the workloads, what stands outside, and what the proxies have of it.
import { formatProblem } from '../../contracts/problem.ts'
import { forwardProxyListener, hostPort, inboundName, serviceHost } from '../../contracts/xds/names.ts'
import type { OutboundSide } from '../../insight/egress-check.ts'
import type { ConfigDump } from '../../proxy/admin/config-dump.ts'
import type { ListenerConfig } from '../../proxy/runtime/runtime-config.ts'
import { CliError } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { connect, openProxies } from '../mesh/running-mesh.ts'
import { SidecarClient, findProxy } from '../mesh/sidecar-client.ts'
import { readDocumentFiles } from './read-documents.ts'

export interface AuthzWorkload {
  readonly namespace: string
  readonly name: string
  readonly spiffeId: string
}

/** An ExternalService. */
export interface AuthzOutside {
  readonly namespace: string
  readonly name: string
  readonly hosts: readonly string[]
  /** `protocol` as the documents spell it. */
  readonly ports: readonly { readonly port: number; readonly protocol: string }[]
}

/** A listener that is asked, for one port of a workload. */
export interface AuthzTarget {
  readonly workload: string
  readonly port: number
  readonly listener: ListenerConfig
}

export interface AuthzWorld {
  readonly workloads: readonly AuthzWorkload[]
  readonly outside: readonly AuthzOutside[]
  /** "host:port" of every Service. */
  readonly services: readonly string[]
  targets(workload: AuthzWorkload): Promise<readonly AuthzTarget[]>
  /** The routes that it gets for the names of service ports. */
  outbound(workload: AuthzWorkload, names: readonly string[]): Promise<OutboundSide>
}

export async function worldOfMesh(context: CliContext, options: MeshOptions): Promise<AuthzWorld> {
  const mesh = await openProxies(context, options)
  const dumpOf = async ({ namespace, name }: AuthzWorkload): Promise<ConfigDump> => {
    const client = new SidecarClient(mesh.adminToken)
    try {
      return await client.admin<ConfigDump>(findProxy(mesh, `sidecar~${namespace}~${name}`), '/config_dump')
    } finally {
      client.close()
    }
  }
  const client = connect(context, options)
  try {
    const documents = await client.documents({ kind: 'ExternalService' })
    const services = await client.documents({ kind: 'Service' })
    return {
      workloads: mesh.workloads,
      outside: documents.map(({ namespace, name, document }) => {
        const { hosts, ports } = document['spec'] as Pick<AuthzOutside, 'hosts' | 'ports'>
        return { namespace, name, hosts, ports }
      }),
      services: services.flatMap(({ namespace, name, document }) => {
        const { ports } = document['spec'] as Pick<AuthzOutside, 'ports'>
        return ports.map(({ port }) => hostPort(serviceHost(name, namespace), port))
      }),
      async targets(workload) {
        const { listeners } = await dumpOf(workload)
        const ports = mesh.workloads.find(isSame(workload))?.inbound.map(({ port }) => port) ?? []
        return ports.flatMap((port) => {
          const listener = listeners.find(({ name }) => name === inboundName(port))
          return listener === undefined ? [] : [{ workload: `${workload.namespace}/${workload.name}`, port, listener }]
        })
      },
      async outbound(workload, names) {
        const { listeners } = await dumpOf(workload)
        const listener = listeners.find(({ name }) => name === forwardProxyListener)
        if (listener === undefined) throw new CliError(`${workload.name} has no outbound listener yet`)
        const api = connect(context, options)
        try {
          const bodies = new Map<string, Uint8Array>()
          for (const name of names) bodies.set(name, await api.routesOf(workload.namespace, workload.name, name))
          return { listener, routes: (name) => bodies.get(name) as Uint8Array }
        } finally {
          api.close()
        }
      },
    }
  } finally {
    client.close()
  }
}

export async function worldOfFiles(context: CliContext, paths: readonly string[]): Promise<AuthzWorld> {
  const { analyzeFiles } = await import('../../control/configuration.ts')
  const { inboundListenerOf, spiffeIdOf } = await import('../../insight/authorization-check.ts')
  const { outboundSideOf } = await import('../../insight/egress-check.ts')
  const { snapshot, problems } = analyzeFiles(await readDocumentFiles(context, paths))
  // what is wrong closes only the part that is wrong
  for (const problem of problems) context.output.note(formatProblem(problem))
  const workloads = [...snapshot.workloads.values()].map((workload) => ({
    ...workload,
    spiffeId: spiffeIdOf(snapshot, workload),
  }))
  const whole = (wanted: AuthzWorkload) => workloads.find(isSame(wanted)) as (typeof workloads)[number]
  return {
    workloads,
    services: [...snapshot.services.values()]
      .filter(({ external }) => !external)
      .flatMap(({ host, ports }) => ports.map(({ port }) => hostPort(host, port))),
    outside: [...snapshot.services.values()]
      .filter(({ external }) => external)
      .map(({ namespace, name, host, ports }) => ({ namespace, name, hosts: [host], ports })),
    targets: (workload) =>
      Promise.resolve(
        whole(workload).ports.map(({ port }) => ({
          workload: `${workload.namespace}/${workload.name}`,
          port,
          listener: inboundListenerOf(snapshot, whole(workload), port),
        })),
      ),
    outbound: (workload) => Promise.resolve(outboundSideOf(snapshot, whole(workload))),
  }
}

function isSame(one: AuthzWorkload): (other: { readonly namespace: string; readonly name: string }) => boolean {
  return ({ namespace, name }) => namespace === one.namespace && name === one.name
}
