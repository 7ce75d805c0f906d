// Attests whoever shows an X.509-SVID: it may renew that identity, and no other.
import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
import type { Clock } from '../../core/clock.ts'
import type { Attestor } from './attestor.ts'
import type { Revocations } from './revocations.ts'

export function createSvidAttestor(clock: Clock, revocations: Pick<Revocations, 'refusesCertificate'>): Attestor {
  return {
    async attest({ bearerToken, certificate }) {
      // whoever shows a token means to join
      if (bearerToken !== undefined || certificate === undefined) return undefined
      const spiffeId = spiffeIdOf(certificate)
      if (spiffeId === undefined) return undefined
      // a connection may outlive the certificate that it was opened with
      if (certificate.validToDate.getTime() <= clock.nowMs()) {
        const message = `the X.509-SVID of ${spiffeId} has expired: join again with a new token`
        return { refused: 'certificate_expired', message }
      }
      if (revocations.refusesCertificate(spiffeId, certificate.validFromDate.getTime())) {
        const message = `the X.509-SVID of ${spiffeId} was revoked: join again with a new token`
        return { refused: 'certificate_revoked', message }
      }
      return { spiffeIds: [spiffeId] }
    },
  }
}
