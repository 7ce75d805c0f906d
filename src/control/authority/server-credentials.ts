// TLS of the control plane's own port: its SVID, renewed without a restart; clients may show theirs and need not (they may bring a token).
import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

import { ServerCredentials } from '@grpc/grpc-js'

import type { X509Svid } from '../../contracts/identity/svid.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Authority } from './authority.ts'

export interface ControlPlaneServerCredentials {
  readonly credentials: ServerCredentials
  /** Ends the renewals. */
  stop(): void
}

const retryMs = 500

/** Throws when the first certificate cannot be issued; a later one that cannot is logged and tried again. */
export function createControlPlaneServerCredentials(options: {
  readonly authority: Authority
  readonly clock: Clock
  readonly logger: Logger
}): ControlPlaneServerCredentials {
  const { authority, clock, logger } = options
  let svid = authority.issueServerSvid()
  const credentials = new RenewedServerCredentials(contextOf(svid, authority))
  const renew = (): void => {
    timer.cancel()
    try {
      svid = authority.issueServerSvid()
      credentials.update(contextOf(svid, authority))
      schedule()
    } catch (error) {
      logger.error("the control plane's own certificate could not be renewed", { reason: errorMessage(error) })
      timer = clock.setTimer(retryMs, renew)
    }
  }
  const schedule = (): void => {
    timer = clock.setTimer(Math.max(retryMs, (svid.notAfterMs - clock.nowMs()) / 2), renew)
  }
  let timer: Timer
  schedule()
  // who it trusts, and whose certificate it shows
  const unsubscribe = authority.trustFingerprint.subscribe(renew)
  return {
    credentials,
    stop() {
      unsubscribe()
      timer.cancel()
    },
  }
}

function contextOf(svid: X509Svid, authority: Authority): SecureContextOptions {
  return {
    cert: svid.certificateChainPem,
    key: svid.privateKeyPem,
    ca: authority.trustBundle.rootsPem,
    minVersion: 'TLSv1.3',
    // a resumed session would keep the identity its client had before
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

/** grpc-js hands each update to its listening sockets: the next handshake sees it, open connections stay. */
class RenewedServerCredentials extends ServerCredentials {
  constructor(context: SecureContextOptions) {
    // requested but not required: who has no certificate yet comes with a token, and is told so by each service
    super({ requestCert: true, rejectUnauthorized: false }, context)
  }

  update(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context)
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }
}
