// Writes the suite's base manifests as a folder that `heddle up` can run: each Deployment becomes a Workload with an echo server.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseAllDocuments, stringify } from 'yaml'

import { freePorts } from '../kit/free-ports.ts'

const echoServer = join(import.meta.dirname, '../kit/echo-server.ts')

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace: string }
}
interface Deployment extends Manifest {
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: { readonly containers: readonly Container[] }
    }
  }
}
interface Container {
  /** "--grpc=7070": that port speaks gRPC. */
  readonly args?: readonly string[]
  readonly ports: readonly { readonly containerPort: number }[]
}
interface Service extends Manifest {
  readonly spec: { readonly ports: readonly { readonly port: number; readonly targetPort?: number }[] }
}

/** Where each pod's container ports really are, by "name:containerPort", for cases that address a pod. */
export type PodAddresses = ReadonlyMap<string, string>

/**
 * Pods have an address each, so all of them may listen on 8080; Workloads of one host share 127.0.0.1. So each Workload gets
 * free ports of its own, named after the container port they stand for ("port-8080"), and the Services target those names.
 */
export async function writeMeshFolder(baseManifests: string, folder: string): Promise<PodAddresses> {
  const addresses = new Map<string, string>()
  const documents: unknown[] = []
  for (const document of parseAllDocuments(baseManifests)) {
    const manifest = document.toJS() as Manifest | null
    if (manifest?.kind === 'Deployment') {
      const { metadata, spec } = manifest as Deployment
      const container = spec.template.spec.containers[0]
      const containerPorts = (container?.ports ?? []).map(({ containerPort }) => containerPort)
      const free = await freePorts(containerPorts.length)
      for (const [index, port] of containerPorts.entries()) {
        addresses.set(`${metadata.name}.${metadata.namespace}:${port}`, `127.0.0.1:${free[index]}`)
      }
      documents.push(workload(metadata, spec.template.metadata.labels, container?.args ?? [], containerPorts, free))
    } else if (manifest?.kind === 'Service') {
      const { spec } = manifest as Service
      const ports = spec.ports.map((port) => ({ ...port, targetPort: portName(port.targetPort ?? port.port) }))
      documents.push({ ...manifest, spec: { ...spec, ports } })
    } else if (manifest !== null) documents.push(manifest)
  }
  writeFileSync(join(folder, 'base.yaml'), documents.map((one) => stringify(one)).join('---\n'))
  return addresses
}

function workload(
  { name, namespace }: Manifest['metadata'],
  labels: Readonly<Record<string, string>>,
  args: readonly string[],
  containerPorts: readonly number[],
  free: readonly number[],
): unknown {
  const isGrpc = (containerPort: number | undefined): boolean => args.includes(`--grpc=${containerPort}`)
  const listening = (grpc: boolean): string =>
    free.filter((_, index) => isGrpc(containerPorts[index]) === grpc).join(',')
  return {
    apiVersion: 'heddle.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name, namespace, labels },
    spec: {
      address: '127.0.0.1',
      ports: containerPorts.map((port, index) => ({ name: portName(port), port: free[index] })),
      command: ['node', echoServer],
      env: {
        ECHO_PORTS: listening(false),
        ECHO_GRPC_PORTS: listening(true),
        POD_NAME: name,
        POD_NAMESPACE: namespace,
      },
    },
  }
}

function portName(containerPort: number): string {
  return `port-${containerPort}`
}
