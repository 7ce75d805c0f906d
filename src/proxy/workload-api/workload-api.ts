// The Workload API of one sidecar (SPIFFE standard): gives the application behind it its identity, on a Unix socket.
import { Server } from '@grpc/grpc-js'
import type { ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js'

import type { UnixRegistration } from '../../contracts/unix-registration.ts'
import { SpiffeWorkloadAPI } from '../../contracts/xds/gen/spiffe/workload_pb.ts'
import type {
  X509BundlesRequest,
  X509BundlesResponse,
  X509SVIDRequest,
  X509SVIDResponse,
} from '../../contracts/xds/gen/spiffe/workload_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import type { Watchable } from '../../core/watchable.ts'
import { createCertificateClient, type CertificateClientOptions } from '../identity/certificate-client.ts'
import type { TlsCredentials } from '../io/connection.ts'
import { createAdmission, type AdmissionOptions } from './admission.ts'
import { bindApiSocket } from './api-socket.ts'
import { createApplicationIdentity, type ApplicationIdentityOptions } from './application-identity.ts'
import { onEnd, refuseWithoutHeader, type Call } from './call-rules.ts'
import { createJwtCalls } from './jwt-calls.ts'
import { createJwtClient } from './jwt-client.ts'
import { JwtSvids } from './jwt-svids.ts'
import { x509BundlesResponse, x509SvidResponse } from './x509-messages.ts'

export interface WorkloadApiOptions extends Omit<ApplicationIdentityOptions, 'sign'> {
  /** Ends in ".sock". */
  readonly socketFile: string
  /** Which processes may ask; absent: those that may open the socket, which is its owner's. */
  readonly unix?: UnixRegistration
  /** A caller was: which field did not match. */
  readonly refused: AdmissionOptions['refused']
  readonly controlPlane: Omit<CertificateClientOptions, 'clock'>
}

export interface WorkloadApi {
  /** Ends all streams and removes the socket, unless a successor has put its own there. */
  stop(): void
}

const methods = Object.fromEntries(SpiffeWorkloadAPI.methods.map((method) => [method.name, grpcMethod(method)]))
const maxRequestBytes = 64 * 1024

/** Rejects when the socket cannot be had. */
export async function startWorkloadApi(options: WorkloadApiOptions): Promise<WorkloadApi> {
  const { spiffeId, credentials, socketFile, clock, logger } = options
  const controlPlane = { ...options.controlPlane, clock }
  const application = createApplicationIdentity({ ...options, sign: createCertificateClient(controlPlane) })
  const svids = new JwtSvids(createJwtClient({ ...controlPlane, credentials }), clock)
  const implementation: UntypedServiceImplementation = {
    FetchX509SVID: (call: ServerWritableStream<X509SVIDRequest, X509SVIDResponse>) => {
      if (refuseWithoutHeader(call)) return
      follow(call, application.use(), (own) => call.write(x509SvidResponse(spiffeId, own)))
    },
    FetchX509Bundles: (call: ServerWritableStream<X509BundlesRequest, X509BundlesResponse>) => {
      if (refuseWithoutHeader(call)) return
      let sent = ''
      follow(call, credentials, (own) => {
        const bundles = JSON.stringify([own.rootsPem, own.federatedBundles])
        if (bundles !== sent) call.write(x509BundlesResponse(spiffeId, own))
        sent = bundles
      })
    },
    ...createJwtCalls({ spiffeId, svids, clock, logger }),
  }
  const server = new Server({ 'grpc.max_receive_message_length': maxRequestBytes })
  server.addService(methods, implementation)
  const stopServing = (): void => {
    application.stop()
    server.forceShutdown()
  }
  try {
    const { unix: registered } = options
    const admission = registered === undefined ? undefined : await createAdmission({ ...options, registered })
    const removeSocket = await bindApiSocket(server, socketFile, admission)
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
  onEnd(call, unsubscribe)
  sendKnown(credentials.value)
}
