// heddle.v1.CertificateService, the part for JWT-SVIDs: signs them for whoever shows an X.509-SVID, in that identity's name alone.
import { create } from '@bufbuild/protobuf'
import type { ServerUnaryCall, ServiceDefinition, UntypedServiceImplementation, sendUnaryData } from '@grpc/grpc-js'

import {
  CertificateService,
  GetJwtKeysResponseSchema,
  SignJwtSvidResponseSchema,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type {
  GetJwtKeysRequest,
  GetJwtKeysResponse,
  SignJwtSvidRequest,
  SignJwtSvidResponse,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import { assertAuthorized, peerSpiffeId, toStatus } from './certificate-service.ts'
import type { CertificateServiceOptions } from './certificate-service.ts'
import type { JwtAuthority } from './jwt-authority.ts'
import { SigningRefused } from './signing-request.ts'

export interface JwtServiceOptions extends Pick<
  CertificateServiceOptions,
  'authorizedIdentity' | 'clock' | 'logger' | 'metrics' | 'revocations'
> {
  readonly authority: JwtAuthority
}

const { signJwtSvid, getJwtKeys } = CertificateService.method

/** For `grpc.Server.addService`, beside the rest of the service. */
export function createJwtService(options: JwtServiceOptions): {
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
} {
  const { authority, metrics } = options
  /** Whoever is no proxy of the mesh gets nothing. */
  const answer = <Q, R>(call: ServerUnaryCall<Q, R>, callback: sendUnaryData<R>, response: (caller: string) => R) => {
    try {
      const caller = peerSpiffeId(options, call)
      assertAuthorized(options, caller, undefined)
      callback(null, response(caller))
    } catch (error) {
      callback(toStatus(options, error, call.getPeer()))
    }
  }
  return {
    definition: { SignJwtSvid: grpcMethod(signJwtSvid), GetJwtKeys: grpcMethod(getJwtKeys) },
    implementation: {
      SignJwtSvid: (
        call: ServerUnaryCall<SignJwtSvidRequest, SignJwtSvidResponse>,
        callback: sendUnaryData<SignJwtSvidResponse>,
      ) => {
        answer(call, callback, (caller) => {
          const { audience } = call.request
          if (audience.length === 0 || audience.includes('')) {
            throw new SigningRefused('invalid', 'a JWT-SVID is for somebody: name its audience')
          }
          const token = authority.sign(caller, audience)
          metrics.signed('jwt', 'svid')
          return create(SignJwtSvidResponseSchema, { token })
        })
      },
      GetJwtKeys: (
        call: ServerUnaryCall<GetJwtKeysRequest, GetJwtKeysResponse>,
        callback: sendUnaryData<GetJwtKeysResponse>,
      ) => {
        answer(call, callback, () =>
          create(GetJwtKeysResponseSchema, { jwkSet: JSON.stringify({ keys: authority.keys }) }),
        )
      },
    },
  }
}
