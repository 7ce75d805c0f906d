// heddle.v1.CertificateService, the part for JWT-SVIDs: signs them for whoever shows an X.509-SVID, in that identity's name alone.
import { create } from '@bufbuild/protobuf'
import type { ServerUnaryCall, ServiceDefinition, UntypedServiceImplementation, sendUnaryData } from '@grpc/grpc-js'

import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
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
import { attest } from './attestor.ts'
import { assertAuthorized, evidenceOf, toStatus } from './certificate-service.ts'
import type { CertificateServiceOptions } from './certificate-service.ts'
import type { JwtAuthority } from './jwt-authority.ts'
import { SigningRefused } from './signing-request.ts'

export interface JwtServiceOptions extends Pick<
  CertificateServiceOptions,
  'attestors' | 'authorizedIdentity' | 'logger' | 'metrics'
> {
  readonly authority: JwtAuthority
  /** Keys of other trust domains; absent: none. */
  readonly federated?: () => readonly { readonly trustDomain: string; readonly jwtKeys: readonly BundleKey[] }[]
}

const { signJwtSvid, getJwtKeys } = CertificateService.method

/** For `grpc.Server.addService`, beside the rest of the service. */
export function createJwtService(options: JwtServiceOptions): {
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
} {
  const { authority, attestors, metrics, federated = () => [] } = options
  /** Whoever is no proxy of the mesh gets nothing. */
  const answer = async <Q, R>(
    call: ServerUnaryCall<Q, R>,
    callback: sendUnaryData<R>,
    response: (caller: string) => R,
  ): Promise<void> => {
    try {
      // no key: what serves one key, such as a join token, is no evidence here
      const { spiffeIds } = await attest(attestors, evidenceOf(call))
      const [caller = ''] = spiffeIds
      assertAuthorized(options, caller, undefined)
      callback(null, response(caller))
    } catch (error) {
      callback(toStatus(error, call.getPeer(), options))
    }
  }
  return {
    definition: { SignJwtSvid: grpcMethod(signJwtSvid), GetJwtKeys: grpcMethod(getJwtKeys) },
    implementation: {
      SignJwtSvid: (
        call: ServerUnaryCall<SignJwtSvidRequest, SignJwtSvidResponse>,
        callback: sendUnaryData<SignJwtSvidResponse>,
      ) => {
        void answer(call, callback, (caller) => {
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
        void answer(call, callback, () =>
          create(GetJwtKeysResponseSchema, {
            jwkSet: JSON.stringify({ keys: authority.keys }),
            federatedJwkSets: Object.fromEntries(
              federated().map(({ trustDomain, jwtKeys }) => [trustDomain, JSON.stringify({ keys: jwtKeys })]),
            ),
          }),
        )
      },
    },
  }
}
