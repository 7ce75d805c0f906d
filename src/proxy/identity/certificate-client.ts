// The asking side of heddle.v1.CertificateService: one fresh connection an attempt, so that each shows what it should.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Metadata, status } from '@grpc/grpc-js'
import type { Client, ServiceError } from '@grpc/grpc-js'

import { certificatesToPem } from '../../contracts/identity/pem.ts'
import {
  CertificateService,
  SignCertificateRequestSchema,
  SignCertificateResponseSchema,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { SignCertificateResponse } from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { Clock } from '../../core/clock.ts'
import { openControlPlaneChannel } from './control-plane-channel.ts'
import { decodeRevocations } from './decode-revocations.ts'
import { CertificateRefused } from './identity-agent.ts'
import type { CertificateProof, SignCertificate } from './identity-agent.ts'

export interface CertificateClientOptions {
  readonly address: string
  readonly trustBundleFile: string
  readonly controlPlaneSpiffeId: string
  readonly clock: Clock
}

const defaultTimeoutMs = 5_000
const path = `/${CertificateService.typeName}/${CertificateService.method.signCertificate.name}`

/** What the identity agent calls as `sign`. */
export function createCertificateClient(options: CertificateClientOptions): SignCertificate {
  return async (csrDer, proof, timeoutMs = defaultTimeoutMs) => {
    const client = openControlPlaneChannel({
      ...options,
      credentials: proof.kind === 'svid' ? proof.credentials : undefined,
    })
    try {
      const response = await call(client, csrDer, proof, options.clock.nowMs() + timeoutMs)
      return {
        chainDer: response.certificateChainDer,
        bundleDer: response.trustBundleDer,
        federatedBundles: response.federatedBundles.map(({ trustDomain, trustBundleDer }) => ({
          trustDomain,
          rootsPem: certificatesToPem(trustBundleDer),
        })),
        revoked: response.revocations && decodeRevocations(response.revocations),
      }
    } finally {
      client.close()
    }
  }
}

function call(
  client: Client,
  csrDer: Uint8Array,
  proof: CertificateProof,
  deadline: number,
): Promise<SignCertificateResponse> {
  const metadata = new Metadata()
  if (proof.kind === 'token') metadata.set('authorization', `Bearer ${proof.token}`)
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes) => fromBinary(SignCertificateResponseSchema, bytes),
      Buffer.from(toBinary(SignCertificateRequestSchema, create(SignCertificateRequestSchema, { csrDer }))),
      metadata,
      { deadline },
      (error, response) => {
        if (error !== null) reject(toError(error))
        else resolve(response as SignCertificateResponse)
      },
    )
  })
}

function toError(error: ServiceError): Error {
  const refused = [status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.INVALID_ARGUMENT].includes(error.code)
  // grpc's own message repeats the code; `details` is what the control plane said
  return refused
    ? new CertificateRefused(error.details)
    : new Error(`the control plane did not answer: ${error.details}`)
}
