// The proxy's TLS connection to its control plane: verified by trust bundle and SPIFFE ID, showing the newest SVID if there is one.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

import { ChannelCredentials, Client } from '@grpc/grpc-js'
import type { ChannelOptions } from '@grpc/grpc-js'

import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
import { controlPlaneServerName } from '../../contracts/identity/control-plane-identity.ts'
import { errorMessage } from '../../core/errors.ts'
import type { TlsCredentials } from '../io/connection.ts'

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
    ca: readTrustBundle(options.trustBundleFile),
    minVersion: 'TLSv1.3',
    ...(credentials && { cert: credentials.certificateChainPem, key: credentials.privateKeyPem }),
  })
  const channelCredentials = ChannelCredentials.createFromSecureContext(context, {
    checkServerIdentity: (_serverName, { raw }) => {
      const shown = spiffeIdOf(new X509Certificate(raw))
      if (shown === controlPlaneSpiffeId) return undefined
      return new Error(`${options.address} is ${shown ?? 'nobody with a SPIFFE ID'}, not ${controlPlaneSpiffeId}`)
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

function readTrustBundle(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`cannot read the trust bundle ${file}: ${errorMessage(error)}`, { cause: error })
  }
}
