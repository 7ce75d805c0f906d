import { X509Certificate, createHash } from 'node:crypto'

import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerUnaryCall, ServiceDefinition, UntypedServiceImplementation, sendUnaryData } from '@grpc/grpc-js'

import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
// heddle.v1.CertificateService: signs the certificates of proxies that show a join token or the SVID they want to renew.
import { controlPlaneSpiffeId } from '../../contracts/identity/control-plane-identity.ts'
import { parseSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import type { SigningRefusalReason } from '../../contracts/telemetry/metrics.ts'
import {
  CertificateService,
  SignCertificateRequestSchema,
  SignCertificateResponseSchema,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type {
  SignCertificateRequest,
  SignCertificateResponse,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { SigningSink } from '../telemetry/control-plane-metrics.ts'
import type { Authority, SignedSvid } from './authority.ts'
import { encodeRevocations } from './encode-revocations.ts'
import type { JoinGrant, JoinTokens, TokenRefusal } from './join-tokens.ts'
import type { Revocations } from './revocations.ts'
import { SigningRefused, parseSigningRequest } from './signing-request.ts'

export interface CertificateServiceOptions {
  readonly authority: Authority
  readonly tokens: JoinTokens
  readonly revocations: Pick<Revocations, 'list' | 'refusesCertificate' | 'refusesTokenOf'>
  /** Whether the mesh (still) has a proxy of this identity; `proxy` ("namespace/name") is known when it joins. */
  readonly authorizedIdentity: (spiffeId: string, proxy: string | undefined) => boolean
  readonly metrics: SigningSink
  readonly clock: Clock
  readonly logger: Logger
}

type Call = ServerUnaryCall<SignCertificateRequest, SignCertificateResponse>
/** Of whichever method. */
type AnyCall = Pick<Call, 'getAuthContext'>

/** For `grpc.Server.addService`, on a port with the credentials of server-credentials.ts. */
export function createCertificateService(options: CertificateServiceOptions): {
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
} {
  return {
    definition: { SignCertificate: method },
    implementation: {
      SignCertificate: (call: Call, callback: sendUnaryData<SignCertificateResponse>) => {
        void answer(options, call, callback)
      },
    },
  }
}

const method = {
  path: `/${CertificateService.typeName}/${CertificateService.method.signCertificate.name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: (message: SignCertificateRequest): Buffer =>
    Buffer.from(toBinary(SignCertificateRequestSchema, message)),
  requestDeserialize: (bytes: Buffer): SignCertificateRequest => fromBinary(SignCertificateRequestSchema, bytes),
  responseSerialize: (message: SignCertificateResponse): Buffer =>
    Buffer.from(toBinary(SignCertificateResponseSchema, message)),
  responseDeserialize: (bytes: Buffer): SignCertificateResponse => fromBinary(SignCertificateResponseSchema, bytes),
} as const

class Unauthenticated extends Error {
  readonly reason: SigningRefusalReason

  constructor(reason: SigningRefusalReason, message: string) {
    super(message)
    this.reason = reason
  }
}

async function answer(
  options: CertificateServiceOptions,
  call: Call,
  callback: sendUnaryData<SignCertificateResponse>,
): Promise<void> {
  const csrDer = call.request.csrDer
  const token = bearerToken(call)
  try {
    const signed = token === undefined ? renew(options, call, csrDer) : await join(options, token, csrDer)
    const content = {
      certificateChainDer: [...signed.chainDer],
      trustBundleDer: [...signed.bundleDer],
      revocations: encodeRevocations(options.revocations.list.value),
    }
    options.metrics.signed('x509', token === undefined ? 'svid' : 'token')
    callback(null, create(SignCertificateResponseSchema, content))
  } catch (error) {
    callback(toStatus(options, error, call.getPeer()))
  }
}

async function join(options: CertificateServiceOptions, token: string, csrDer: Uint8Array): Promise<SignedSvid> {
  const { publicKey } = parseSigningRequest(csrDer)
  const keyFingerprint = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
  const { spiffeId, proxy, createdAtMs } = granted(await options.tokens.verify(token, keyFingerprint))
  if (options.revocations.refusesTokenOf(spiffeId, createdAtMs)) {
    throw new Unauthenticated('token_revoked', `the join token is from before ${spiffeId} was revoked: ${wayToJoin}`)
  }
  assertAuthorized(options, spiffeId, proxy)
  // signed first, so that a request for somebody else's identity does not use up the token
  const signed = options.authority.sign(csrDer, spiffeId)
  granted(await options.tokens.redeem(token, keyFingerprint))
  options.logger.info('a proxy joined', { proxy, spiffeId, notAfterMs: signed.notAfterMs })
  return signed
}

function renew(options: CertificateServiceOptions, call: Call, csrDer: Uint8Array): SignedSvid {
  const spiffeId = peerSpiffeId(options, call)
  assertAuthorized(options, spiffeId, undefined)
  const signed = options.authority.sign(csrDer, spiffeId)
  options.logger.debug('a certificate was renewed', { spiffeId, notAfterMs: signed.notAfterMs })
  return signed
}

export function assertAuthorized(
  { authorizedIdentity }: Pick<CertificateServiceOptions, 'authorizedIdentity'>,
  spiffeId: string,
  proxy: string | undefined,
): void {
  if (spiffeId === controlPlaneSpiffeId(parseSpiffeId(spiffeId)?.trustDomain ?? ''))
    throw new SigningRefused('denied', `${spiffeId} is the control plane: give the workload another service account`)
  if (authorizedIdentity(spiffeId, proxy)) return
  const who = proxy === undefined ? spiffeId : `${proxy} (${spiffeId})`
  throw new SigningRefused('denied', `the mesh has no workload or gateway ${who}: apply its document first`)
}

/** grpc-js shows only certificates that the handshake verified; a connection may outlive its certificate, so the end is checked here. */
export function peerSpiffeId(
  { clock, revocations }: Pick<CertificateServiceOptions, 'clock' | 'revocations'>,
  call: AnyCall,
): string {
  const raw = call.getAuthContext().sslPeerCertificate?.raw
  const certificate = raw === undefined ? undefined : new X509Certificate(raw)
  const spiffeId = certificate === undefined ? undefined : spiffeIdOf(certificate)
  if (certificate === undefined || spiffeId === undefined) {
    throw new Unauthenticated(
      'no_certificate',
      'show a valid X.509-SVID of this trust domain, or a join token: `heddle token` makes one',
    )
  }
  if (certificate.validToDate.getTime() <= clock.nowMs()) {
    throw new Unauthenticated(
      'certificate_expired',
      `the X.509-SVID of ${spiffeId} has expired: join again with a new token`,
    )
  }
  if (revocations.refusesCertificate(spiffeId, certificate.validFromDate.getTime())) {
    throw new Unauthenticated(
      'certificate_revoked',
      `the X.509-SVID of ${spiffeId} was revoked: join again with a new token`,
    )
  }
  return spiffeId
}

function bearerToken(call: Call): string | undefined {
  const [value] = call.metadata.get('authorization')
  return typeof value === 'string' ? /^Bearer +(\S+)$/i.exec(value)?.[1] : undefined
}

const refusals: Readonly<Record<TokenRefusal, string>> = {
  unknown: 'the join token is unknown to this control plane',
  expired: 'the join token has expired',
  used: 'the join token was used before, by another key',
}

const wayToJoin = 'make a new one with `heddle token`'

function granted(result: JoinGrant | TokenRefusal): JoinGrant {
  if (typeof result !== 'string') return result
  throw new Unauthenticated(`token_${result}`, `${refusals[result]}: ${wayToJoin}`)
}

export function toStatus(
  { logger, metrics }: Pick<CertificateServiceOptions, 'logger' | 'metrics'>,
  error: unknown,
  peer: string,
): { code: status; details: string } {
  const details = errorMessage(error)
  if (error instanceof SigningRefused || error instanceof Unauthenticated) {
    logger.warn('a certificate was refused', { peer, reason: details })
    if (error instanceof Unauthenticated) {
      metrics.refused(error.reason)
      return { code: status.UNAUTHENTICATED, details }
    }
    metrics.refused(error.reason === 'denied' ? 'denied' : 'invalid_request')
    return { code: error.reason === 'denied' ? status.PERMISSION_DENIED : status.INVALID_ARGUMENT, details }
  }
  metrics.refused('failed')
  logger.error('a certificate could not be signed', { peer, error: details })
  return { code: status.INTERNAL, details: 'the certificate could not be signed; the control plane logged why' }
}
