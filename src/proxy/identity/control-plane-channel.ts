// The proxy's TLS connection to its control plane: verified by trust bundle and SPIFFE ID, showing the newest SVID if there is one.
import { readFileSync } from 'node:fs'
import { createSecureContext, type DetailedPeerCertificate } from 'node:tls'

import { ChannelCredentials, Client } from '@grpc/grpc-js'
import type { ChannelOptions } from '@grpc/grpc-js'

import { controlPlaneServerName } from '../../contracts/identity/control-plane-identity.ts'
import { readLeafSvid, signingCertificateFault } from '../../contracts/identity/x509-svid.ts'
import { errorMessage } from '../../core/errors.ts'
import type { TlsCredentials } from '../io/connection.ts'
import { intermediatesOf } from '../io/tls-identity.ts'

export interface ControlPlaneChannelOptions {
  /** "127.0.0.1:15012". */
  readonly address: string
  /** PEM; read now. */
  readonly trustBundleFile: string
  readonly controlPlaneSpiffeId: string
  /** Undefined: no certificate is shown. */
  readonly credentials: TlsCredentials | undefined
  readonly channelOptions?: ChannelOptions
}

/**
 * A channel that connects on its first call. Make a new one for each attempt, and close it: it keeps the credentials it was made with.
 * Throws when the trust bundle cannot be read.
 */
export function openControlPlaneChannel(options: ControlPlaneChannelOptions): Client {
  const { credentials, controlPlaneSpiffeId } = options
  // a context of its own: grpc-js resumes no TLS session, so every handshake comes to checkServerIdentity
  const context = createSecureContext({
    // the file is where the proxy joined, its own bundle is what it was told since: while a root is rotated either may be the newer
    ca: [readTrustBundle(options.trustBundleFile), ...(credentials === undefined ? [] : [credentials.rootsPem])],
    minVersion: 'TLSv1.3',
    ...(credentials && { cert: credentials.certificateChainPem, key: credentials.privateKeyPem }),
  })
  const channelCredentials = ChannelCredentials.createFromSecureContext(context, {
    checkServerIdentity: (_serverName, certificate) => {
      const fault = serverFault(certificate as DetailedPeerCertificate, controlPlaneSpiffeId)
      return fault === undefined ? undefined : new Error(`${options.address} is not the control plane: ${fault}`)
    },
  })
  return new Client(options.address, channelCredentials, {
    ...options.channelOptions,
    'grpc.enable_http_proxy': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    'grpc.ssl_target_name_override': controlPlaneServerName,
  })
}

function serverFault(shown: DetailedPeerCertificate, expected: string): string | undefined {
  const { spiffeId, fault } = readLeafSvid(shown.raw)
  if (fault !== undefined) return fault
  if (spiffeId !== expected) return `it is ${spiffeId}, not ${expected}`
  return intermediatesOf(shown)
    .map(signingCertificateFault)
    .find((found) => found !== undefined)
}

function readTrustBundle(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`cannot read the trust bundle ${file}: ${errorMessage(error)}`, { cause: error })
  }
}
