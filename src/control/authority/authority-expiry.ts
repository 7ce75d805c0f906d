// Says that a certificate of the authority is near its end, long before it is: as a problem of the mesh, which `up`, `ps` and the API show.
import { type AuthorityCertificate, authorityWarningShare } from '../../contracts/control-api.ts'
import type { Problem } from '../../contracts/problem.ts'

export function authorityProblems(certificates: readonly AuthorityCertificate[], nowMs: number): readonly Problem[] {
  return certificates
    .filter(({ use, notBeforeMs, notAfterMs }) => {
      // one that retires is trusted only until it is forgotten
      return use !== 'retiring' && notAfterMs - nowMs < (notAfterMs - notBeforeMs) * authorityWarningShare
    })
    .map(({ role, notAfterMs }) => {
      const hasEnded = notAfterMs <= nowMs
      // oxlint-disable-next-line no-restricted-globals -- formatting a given instant reads no clock
      const end = new Date(notAfterMs).toISOString().slice(0, 16)
      return {
        code: 'HDL015',
        severity: hasEnded ? 'error' : 'warning',
        document: 'certificate authority',
        // a date, not what is left: the same problem keeps its words
        message: `the ${role} ${hasEnded ? 'ended' : 'ends'} at ${end}Z`,
        hint: `Run \`heddle certs rotate --${role}\`.`,
      }
    })
}
