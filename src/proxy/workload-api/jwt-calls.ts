// The calls of the Workload API that are about JWT-SVIDs.
import { create } from '@bufbuild/protobuf'
import type { JsonObject } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'

import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import {
  JWTBundlesResponseSchema,
  JWTSVIDResponseSchema,
  ValidateJWTSVIDResponseSchema,
} from '../../contracts/xds/gen/spiffe/workload_pb.ts'
import type {
  JWTBundlesRequest,
  JWTBundlesResponse,
  JWTSVIDRequest,
  JWTSVIDResponse,
  ValidateJWTSVIDRequest,
  ValidateJWTSVIDResponse,
} from '../../contracts/xds/gen/spiffe/workload_pb.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { onEnd, refuseWithoutHeader } from './call-rules.ts'
import { CallRefused } from './jwt-client.ts'
import { jwtClaims, type JwtSvids } from './jwt-svids.ts'
import { trustDomainId } from './x509-messages.ts'

export interface JwtCallsOptions {
  readonly spiffeId: string
  readonly svids: JwtSvids
  readonly clock: Clock
  readonly logger: Logger
}

/** How often streams look for other keys, and how soon again after the control plane gave none. */
const lookEveryMs = 60_000
const retryMs = 2_000

export interface JwtCalls {
  FetchJWTSVID(call: ServerUnaryCall<JWTSVIDRequest, JWTSVIDResponse>, callback: sendUnaryData<JWTSVIDResponse>): void
  FetchJWTBundles(call: ServerWritableStream<JWTBundlesRequest, JWTBundlesResponse>): void
  ValidateJWTSVID(
    call: ServerUnaryCall<ValidateJWTSVIDRequest, ValidateJWTSVIDResponse>,
    callback: sendUnaryData<ValidateJWTSVIDResponse>,
  ): void
}

export function createJwtCalls({ spiffeId, svids, clock, logger }: JwtCallsOptions): JwtCalls {
  const answer = async <R>(callback: sendUnaryData<R>, response: () => Promise<R>): Promise<void> => {
    try {
      callback(null, await response())
    } catch (error) {
      if (error instanceof CallRefused) callback({ code: error.code, details: error.message })
      else {
        logger.error('a call of the Workload API failed', { error: errorMessage(error) })
        callback({ code: status.INTERNAL, details: 'the call failed; the proxy logged why' })
      }
    }
  }

  const fetchSvid = async (request: JWTSVIDRequest): Promise<JWTSVIDResponse> => {
    const { audience, spiffeId: wanted } = request
    if (audience.length === 0 || audience.includes('')) throw invalid('a JWT-SVID is for somebody: name its audience')
    if (wanted !== '' && wanted !== spiffeId) {
      throw new CallRefused(status.PERMISSION_DENIED, `this socket is that of ${spiffeId}: ask for no other identity`)
    }
    return create(JWTSVIDResponseSchema, { svids: [{ spiffeId, svid: await svids.token(audience) }] })
  }

  const validate = async ({ audience, svid }: ValidateJWTSVIDRequest): Promise<ValidateJWTSVIDResponse> => {
    if (audience === '') throw invalid('say who you are to the bearer: name the audience')
    const reading = await svids.verify(svid, audience, spiffeId)
    if (reading.svid === undefined) throw invalid(`the JWT-SVID is refused: ${reading.fault}`)
    return create(ValidateJWTSVIDResponseSchema, {
      spiffeId: reading.svid.spiffeId,
      claims: jwtClaims(svid) as JsonObject,
    })
  }

  return {
    FetchJWTSVID(call, callback) {
      if (!refuseWithoutHeader(call)) void answer(callback, () => fetchSvid(call.request))
    },

    ValidateJWTSVID(call, callback) {
      if (!refuseWithoutHeader(call)) void answer(callback, () => validate(call.request))
    },

    FetchJWTBundles(call) {
      if (refuseWithoutHeader(call)) return
      let sent = ''
      let ended = false
      let next: Timer | undefined
      const look = async (): Promise<void> => {
        let inMs = lookEveryMs
        try {
          const { own, federated } = await svids.keys()
          const sets: Record<string, string> = {}
          for (const [trustDomain, keys] of federated) sets[`spiffe://${trustDomain}`] = jwkSet(keys)
          sets[trustDomainId(spiffeId)] = jwkSet(own)
          const all = JSON.stringify(sets)
          const bundles = Object.fromEntries(Object.entries(sets).map(([id, set]) => [id, Buffer.from(set)]))
          if (all !== sent && !ended) call.write(create(JWTBundlesResponseSchema, { bundles }))
          sent = all
        } catch {
          // silent while the control plane is away, as the streams of certificates are
          inMs = retryMs
        }
        if (!ended) next = clock.setTimer(inMs, () => void look())
      }
      onEnd(call, () => {
        ended = true
        next?.cancel()
      })
      void look()
    },
  }
}

function invalid(message: string): CallRefused {
  return new CallRefused(status.INVALID_ARGUMENT, message)
}

/** Workload API standard: a plain JWK set (RFC 7517), in which "use" has no values of SPIFFE's. */
function jwkSet(keys: readonly BundleKey[]): string {
  return JSON.stringify({ keys: keys.map(({ kty, crv, x, y, n, e, kid }) => ({ kty, crv, x, y, n, e, kid })) })
}
