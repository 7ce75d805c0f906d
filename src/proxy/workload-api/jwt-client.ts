// Asks the control plane for JWT-SVIDs and what they are verified with, showing the sidecar's certificate.
import { create } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'

import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import { CertificateService } from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import { grpcMethod, type MethodOf } from '../../contracts/xds/grpc-method.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { CertificateClientOptions } from '../identity/certificate-client.ts'
import { openControlPlaneChannel } from '../identity/control-plane-channel.ts'
import type { TlsCredentials } from '../io/connection.ts'

export interface JwtClient {
  /** A JWT-SVID of the sidecar's identity. Rejects with a CallRefused. */
  sign(audience: readonly string[]): Promise<string>
  /** Of each trust domain that is trusted. Rejects with a CallRefused. */
  keys(): Promise<JwtKeys>
}

export interface JwtKeys {
  readonly own: readonly BundleKey[]
  /** By trust domain. */
  readonly federated: ReadonlyMap<string, readonly BundleKey[]>
}

/** Why the application gets no answer, with the code that it gets instead. */
export class CallRefused extends Error {
  readonly code: status

  constructor(code: status, message: string) {
    super(message)
    this.code = code
  }
}

export interface JwtClientOptions extends CertificateClientOptions {
  readonly credentials: Watchable<TlsCredentials | undefined>
}

const timeoutMs = 5_000
const { signJwtSvid, getJwtKeys } = CertificateService.method

export function createJwtClient(options: JwtClientOptions): JwtClient {
  return {
    async sign(audience) {
      return (await call(options, signJwtSvid, { audience: [...audience] })).token
    },
    async keys() {
      const { jwkSet, federatedJwkSets } = await call(options, getJwtKeys, {})
      const federated = Object.entries(federatedJwkSets).map(([domain, set]) => [domain, keysOf(set)] as const)
      return { own: keysOf(jwkSet), federated: new Map(federated) }
    },
  }
}

function keysOf(jwkSet: string): readonly BundleKey[] {
  return (JSON.parse(jwkSet) as { keys: BundleKey[] }).keys
}

async function call<I extends DescMessage, O extends DescMessage>(
  options: JwtClientOptions,
  method: MethodOf<I, O>,
  request: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  const credentials = options.credentials.value
  if (credentials === undefined) {
    throw new CallRefused(status.UNAVAILABLE, 'the sidecar has no certificate at the moment: try again')
  }
  // one connection a call, as certificates are asked for: it shows the newest certificate
  const client = openControlPlaneChannel({ ...options, credentials })
  const { path, requestSerialize, responseDeserialize } = grpcMethod(method)
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(method.input, request),
        { deadline: options.clock.nowMs() + timeoutMs },
        (error, response) => {
          if (error === null) resolve(response as MessageShape<O>)
          else if (error.code === status.PERMISSION_DENIED) reject(new CallRefused(error.code, error.details))
          else reject(new CallRefused(status.UNAVAILABLE, `the control plane did not answer: ${error.details}`))
        },
      )
    })
  } finally {
    client.close()
  }
}
