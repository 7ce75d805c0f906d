// Tells the control plane which certificates are in force here, and renews early when it asks: how a root is rotated without waiting for half-lives.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { Client, ClientDuplexStream, StatusObject } from '@grpc/grpc-js'

import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { trustFingerprint } from '../../contracts/identity/trust-fingerprint.ts'
import {
  CertificateService,
  RenewalRequestSchema,
  TrustReportSchema,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { RenewalRequest, TrustReport } from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { TlsCredentials } from '../io/connection.ts'
import type { IdentityAgent } from './identity-agent.ts'

export interface TrustWatchOptions {
  /** "sidecar~default~web". */
  readonly node: string
  readonly identity: Pick<IdentityAgent, 'credentials' | 'renewWithin'>
  readonly clock: Clock
}

const path = `/${CertificateService.typeName}/${CertificateService.method.watchTrust.name}`
const retryMs = 1_000

/** On a channel that somebody else opened and closes. Ends with the returned function, or where nobody knows of it: any xDS server will do. */
export function watchTrust(client: Client, options: TrustWatchOptions): () => void {
  const { node, identity, clock } = options
  let call: ClientDuplexStream<TrustReport, RenewalRequest> | undefined
  let retry: Timer | undefined
  let stopped = false
  const report = (): void => {
    call?.write(create(TrustReportSchema, { node, trustFingerprint: fingerprintOf(identity.credentials.value) }))
  }
  const open = (): void => {
    try {
      call = client.makeBidiStreamRequest(path, encodeReport, decodeRequest)
    } catch {
      // the channel was closed meanwhile
      return
    }
    call.on('data', ({ withinMs }: RenewalRequest) => identity.renewWithin(withinMs))
    call.on('error', () => {
      // its status follows
    })
    call.on('status', ({ code }: StatusObject) => {
      call = undefined
      if (!stopped && code !== status.UNIMPLEMENTED) retry = clock.setTimer(retryMs, open)
    })
    report()
  }
  const unsubscribe = identity.credentials.subscribe(report)
  open()
  return () => {
    stopped = true
    unsubscribe()
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

function decodeRequest(bytes: Buffer): RenewalRequest {
  return fromBinary(RenewalRequestSchema, bytes)
}
