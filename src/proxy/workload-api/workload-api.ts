// The Workload API of one sidecar (SPIFFE standard): gives the application behind it its identity, on a Unix socket.
import { Server, status } from '@grpc/grpc-js'
import type { Metadata, ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js'

import type {
  X509BundlesRequest,
  X509BundlesResponse,
  X509SVIDRequest,
  X509SVIDResponse,
} from '../../contracts/xds/gen/spiffe/workload_pb.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { TlsCredentials } from '../io/connection.ts'
import { bindApiSocket } from './api-socket.ts'
import { createApplicationIdentity, type ApplicationIdentityOptions } from './application-identity.ts'
import { workloadApiMethods } from './method-definitions.ts'
import { x509BundlesResponse, x509SvidResponse } from './x509-messages.ts'

export interface WorkloadApiOptions extends ApplicationIdentityOptions {
  /** Ends in ".sock". */
  readonly socketFile: string
}

export interface WorkloadApi {
  /** Ends all streams and removes the socket, unless a successor has put its own there. */
  stop(): void
}

const maxRequestBytes = 64 * 1024

/** Rejects when the socket cannot be had. */
export async function startWorkloadApi(options: WorkloadApiOptions): Promise<WorkloadApi> {
  const { spiffeId, credentials, socketFile } = options
  const application = createApplicationIdentity(options)
  const implementation: UntypedServiceImplementation = {
    FetchX509SVID: (call: ServerWritableStream<X509SVIDRequest, X509SVIDResponse>) => {
      if (refuseWithoutHeader(call)) return
      follow(call, application.use(), (own) => call.write(x509SvidResponse(spiffeId, own)))
    },
    FetchX509Bundles: (call: ServerWritableStream<X509BundlesRequest, X509BundlesResponse>) => {
      if (refuseWithoutHeader(call)) return
      let sent = ''
      follow(call, credentials, ({ rootsPem }) => {
        if (rootsPem !== sent) call.write(x509BundlesResponse(spiffeId, rootsPem))
        sent = rootsPem
      })
    },
  }
  const server = new Server({ 'grpc.max_receive_message_length': maxRequestBytes })
  server.addService(workloadApiMethods, implementation)
  const stopServing = (): void => {
    application.stop()
    server.forceShutdown()
  }
  try {
    const removeSocket = await bindApiSocket(server, socketFile)
    return {
      stop() {
        removeSocket()
        stopServing()
      },
    }
  } catch (error) {
    stopServing()
    throw error
  }
}

interface Call {
  readonly metadata: Metadata
  on(event: string, listener: () => void): unknown
  emit(event: 'error', error: object): unknown
}

/** Workload Endpoint standard, section 3: keeps out whoever makes a program send requests that it does not mean to. */
function refuseWithoutHeader(call: Call): boolean {
  if (call.metadata.get('workload.spiffe.io').join() === 'true') return false
  const details = 'send the metadata "workload.spiffe.io: true" with each call to the Workload API'
  call.emit('error', { code: status.INVALID_ARGUMENT, details })
  return true
}

/** Sends what is in force now, and what follows, until the caller leaves. */
function follow(
  call: Call,
  credentials: Watchable<TlsCredentials | undefined>,
  send: (credentials: TlsCredentials) => void,
): void {
  const sendKnown = (known: TlsCredentials | undefined): void => {
    if (known !== undefined) send(known)
  }
  const unsubscribe = credentials.subscribe(sendKnown)
  for (const end of ['cancelled', 'close', 'error']) call.on(end, unsubscribe)
  sendKnown(credentials.value)
}
