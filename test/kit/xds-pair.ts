// Both ends of ADS over real gRPC on loopback: Heddle's server over a view that tests set, and Heddle's client recording what it has.
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js'

import { nodeId, nodeMetadata } from '../../src/contracts/xds/names.ts'
import type { ResourceView } from '../../src/control/translate/resource-view.ts'
import { identifyByNodeId } from '../../src/control/xds-server/node-identity.ts'
import type { Identify } from '../../src/control/xds-server/node-identity.ts'
import { createXdsServer, xdsServerChannelOptions } from '../../src/control/xds-server/xds-server.ts'
import type { XdsServer } from '../../src/control/xds-server/xds-server.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { createRandom } from '../../src/core/random.ts'
import type { WatchableValue } from '../../src/core/watchable.ts'
import type { RejectedResource, ResourceUpdate } from '../../src/proxy/xds-client/resource-update.ts'
import { createXdsClient, xdsChannelOptions } from '../../src/proxy/xds-client/xds-client.ts'
import type { XdsClient } from '../../src/proxy/xds-client/xds-client.ts'

export interface RunningXdsServer {
  readonly xds: XdsServer
  readonly address: string
  /** Cuts every connection, as a killed process would. */
  kill(): void
}

export async function startXdsServer(
  view: WatchableValue<ResourceView>,
  identify: Identify = identifyByNodeId,
  serverCredentials: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<RunningXdsServer> {
  const xds = createXdsServer({ view, clock: systemClock, logger: silentLogger })
  const server = new Server(xdsServerChannelOptions)
  const { definition, implementation } = xds.service(identify)
  server.addService(definition, implementation)
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials, (error, got) => {
      if (error === null) resolve(got)
      else reject(error)
    })
  })
  return {
    xds,
    address: `127.0.0.1:${bound}`,
    kill() {
      server.forceShutdown()
      xds.stop()
    },
  }
}

function openPlaintext(address: string): Client {
  return new Client(address, credentials.createInsecure(), xdsChannelOptions)
}

export interface RecordingClient extends XdsClient {
  /** Body text by name, by type. */
  has(typeUrl: string): Readonly<Record<string, string>>
  readonly updates: ResourceUpdate[]
  /** Decides about each resource; rejects those for which it returns a reason. */
  reject: (name: string, body: string) => string | undefined
}

export function startXdsClient(
  address: () => string,
  name = 'web',
  open: (address: string) => Client = openPlaintext,
): RecordingClient {
  const held = new Map<string, Map<string, string>>()
  const updates: ResourceUpdate[] = []
  const ofType = (typeUrl: string): Map<string, string> => {
    let found = held.get(typeUrl)
    if (found === undefined) held.set(typeUrl, (found = new Map()))
    return found
  }
  const client = createXdsClient({
    node: {
      id: nodeId('sidecar', 'default', name),
      metadata: { [nodeMetadata.kind]: 'sidecar', [nodeMetadata.namespace]: 'default', [nodeMetadata.name]: name },
    },
    open: () => open(address()),
    clock: systemClock,
    random: createRandom(1),
    logger: silentLogger,
    onUpdate(update) {
      updates.push(update)
      const rejected: RejectedResource[] = []
      for (const { name: resource, body } of update.changed) {
        const text = Buffer.from(body).toString()
        const reason = recording.reject(resource, text)
        if (reason === undefined) ofType(update.typeUrl).set(resource, text)
        else rejected.push({ name: resource, reason })
      }
      for (const resource of update.removed) ofType(update.typeUrl).delete(resource)
      return rejected
    },
  })
  const recording: RecordingClient = {
    connected: client.connected,
    start: () => client.start(),
    stop: () => client.stop(),
    subscribe(typeUrl, names) {
      const wanted = new Set(names)
      client.subscribe(typeUrl, wanted)
      const mine = ofType(typeUrl)
      for (const resource of mine.keys()) if (!wanted.has(resource)) mine.delete(resource)
    },
    has: (typeUrl) => Object.fromEntries(ofType(typeUrl)),
    updates,
    reject: () => undefined,
  }
  client.start()
  return recording
}
