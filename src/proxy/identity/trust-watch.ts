// Tells the control plane which certificates and revocations are in force here, renews early when it asks (how a root is rotated without
// waiting for half-lives), and refuses what it says is revoked.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { Client, ClientDuplexStream, StatusObject } from '@grpc/grpc-js'

import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { trustFingerprint } from '../../contracts/identity/trust-fingerprint.ts'
import {
  CertificateService,
  TrustReportSchema,
  TrustUpdateSchema,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { TrustReport, TrustUpdate } from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { TlsCredentials } from '../io/connection.ts'
import { decodeRevocations } from './decode-revocations.ts'
import type { IdentityAgent } from './identity-agent.ts'

export interface TrustWatchOptions {
  /** "sidecar~default~web". */
  readonly node: string
  /** That serve this proxy together, this one among them. */
  readonly processes: number
  readonly identity: Pick<IdentityAgent, 'credentials' | 'renewWithin' | 'revoke' | 'revoked'>
  readonly clock: Clock
}

const path = `/${CertificateService.typeName}/${CertificateService.method.watchTrust.name}`
const retryMs = 1_000

/** On a channel that somebody else opened and closes. Ends with the returned function, or where nobody knows of it: any xDS server will do. */
export function watchTrust(client: Client, options: TrustWatchOptions): () => void {
  const { node, processes, identity, clock } = options
  let call: ClientDuplexStream<TrustReport, TrustUpdate> | undefined
  let retry: Timer | undefined
  let stopped = false
  const report = (): void => {
    const credentials = identity.credentials.value
    const revocationsVersion = BigInt(identity.revoked.value.version)
    const trusted = fingerprintOf(credentials)
    call?.write(create(TrustReportSchema, { node, trustFingerprint: trusted, revocationsVersion, processes }))
  }
  const open = (): void => {
    try {
      call = client.makeBidiStreamRequest(path, encodeReport, decodeUpdate)
    } catch {
      // the channel was closed meanwhile
      return
    }
    call.on('data', ({ renewWithinMs, revocations }: TrustUpdate) => {
      if (revocations !== undefined) identity.revoke(decodeRevocations(revocations))
      if (renewWithinMs > 0) identity.renewWithin(renewWithinMs)
    })
    call.on('error', () => {
      // its status follows
    })
    call.on('status', ({ code }: StatusObject) => {
      call = undefined
      if (!stopped && code !== status.UNIMPLEMENTED) retry = clock.setTimer(retryMs, open)
    })
    report()
  }
  const unsubscribe = [identity.credentials.subscribe(report), identity.revoked.subscribe(report)]
  open()
  return () => {
    stopped = true
    for (const one of unsubscribe) one()
    retry?.cancel()
    call?.cancel()
  }
}

function fingerprintOf(credentials: TlsCredentials | undefined): string {
  if (credentials === undefined) return ''
  const [, ...issuers] = certificatesFromPem(credentials.certificateChainPem)
  return trustFingerprint(issuers, certificatesFromPem(credentials.rootsPem), credentials.federatedBundles)
}

function encodeReport(message: TrustReport): Buffer {
  return Buffer.from(toBinary(TrustReportSchema, message))
}

function decodeUpdate(bytes: Buffer): TrustUpdate {
  return fromBinary(TrustUpdateSchema, bytes)
}
