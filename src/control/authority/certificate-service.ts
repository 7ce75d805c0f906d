// heddle.v1.CertificateService: signs the certificates of proxies for whom an attestor vouches, in the identities that it grants alone.
import { X509Certificate, createHash } from 'node:crypto'

import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerUnaryCall, ServiceDefinition, UntypedServiceImplementation, sendUnaryData } from '@grpc/grpc-js'

import { controlPlaneSpiffeId } from '../../contracts/identity/control-plane-identity.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { parseSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import {
  CertificateService,
  SignCertificateRequestSchema,
  SignCertificateResponseSchema,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type {
  SignCertificateRequest,
  SignCertificateResponse,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { SigningSink } from '../telemetry/control-plane-metrics.ts'
import { Unattested, attest } from './attestor.ts'
import type { Attestor, Evidence } from './attestor.ts'
import type { Authority, SignedSvid } from './authority.ts'
import { encodeRevocations } from './encode-revocations.ts'
import { SigningRefused, parseSigningRequest } from './signing-request.ts'

export interface CertificateServiceOptions {
  readonly authority: Authority
  /** The only ones that are asked who a caller is. */
  readonly attestors: readonly Attestor[]
  /** Whether the mesh (still) has a proxy of this identity; `proxy`, its node id, is known when it joins. */
  readonly authorizedIdentity: (spiffeId: string, proxy: string | undefined) => boolean
  readonly metrics: SigningSink
  readonly logger: Logger
}

type Call = ServerUnaryCall<SignCertificateRequest, SignCertificateResponse>
/** Of whichever method. */
type AnyCall = Pick<Call, 'getAuthContext' | 'getPeer' | 'metadata'>

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

async function answer(
  options: CertificateServiceOptions,
  call: Call,
  callback: sendUnaryData<SignCertificateResponse>,
): Promise<void> {
  try {
    const signed = await sign(options, call)
    const content = {
      certificateChainDer: [...signed.chainDer],
      trustBundleDer: [...signed.bundleDer],
      federatedBundles: signed.federatedBundles.map(({ trustDomain, rootsPem }) => ({
        trustDomain,
        trustBundleDer: certificatesFromPem(rootsPem),
      })),
      revocations: encodeRevocations(options.authority.revocations.list.value),
    }
    callback(null, create(SignCertificateResponseSchema, content))
  } catch (error) {
    callback(toStatus(error, call.getPeer(), options))
  }
}

async function sign(options: CertificateServiceOptions, call: Call): Promise<SignedSvid> {
  const { csrDer } = call.request
  const request = parseSigningRequest(csrDer)
  const keyFingerprint = createHash('sha256')
    .update(request.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
  const { spiffeIds, proxy, spend } = await attest(options.attestors, { ...evidenceOf(call), keyFingerprint })
  const spiffeId = spiffeIds.find((one) => one === request.spiffeId)
  if (spiffeId === undefined) {
    throw new SigningRefused(
      'denied',
      `the certificate request is for ${JSON.stringify(request.spiffeId)}, but the caller is ${spiffeIds.join(' or ')}: ask for your own identity`,
    )
  }
  assertAuthorized(options, spiffeId, proxy)
  // signed first, so that what is refused uses nothing up
  const signed = options.authority.sign(csrDer, spiffeId)
  const refusal = await spend?.()
  if (refusal !== undefined) throw new Unattested(refusal)
  options.metrics.signed('x509', proxy === undefined ? 'svid' : 'token')
  if (proxy === undefined)
    options.logger.debug('a certificate was renewed', { spiffeId, notAfterMs: signed.notAfterMs })
  else options.logger.info('a proxy joined', { proxy, spiffeId, notAfterMs: signed.notAfterMs })
  return signed
}

/** grpc-js shows only certificates that the handshake verified. */
export function evidenceOf(call: AnyCall): Evidence {
  const raw = call.getAuthContext().sslPeerCertificate?.raw
  const [header] = call.metadata.get('authorization')
  const bearerToken = typeof header === 'string' ? /^Bearer +(\S+)$/i.exec(header)?.[1] : undefined
  return {
    peer: call.getPeer(),
    ...(bearerToken === undefined ? {} : { bearerToken }),
    ...(raw === undefined ? {} : { certificate: new X509Certificate(raw) }),
  }
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

/** Logged and counted: what was refused, and why. */
export function toStatus(
  error: unknown,
  peer: string,
  { logger, metrics }: Pick<CertificateServiceOptions, 'logger' | 'metrics'>,
): { code: status; details: string } {
  const details = errorMessage(error)
  if (error instanceof SigningRefused || error instanceof Unattested) {
    const refused = metrics.refused(error.reason)
    logger.warn('a certificate was refused', { peer, reason: error.reason, details, refused })
    if (error instanceof Unattested) return { code: status.UNAUTHENTICATED, details }
    return { code: error.reason === 'denied' ? status.PERMISSION_DENIED : status.INVALID_ARGUMENT, details }
  }
  metrics.refused('failed')
  logger.error('a certificate could not be signed', { peer, error: details })
  return { code: status.INTERNAL, details: 'the certificate could not be signed; the control plane logged why' }
}
