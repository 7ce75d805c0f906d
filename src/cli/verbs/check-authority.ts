// The part of `heddle check` about the certificates that sign the others: they end years from now, and then all at once.
import { type AuthorityCertificate, authorityWarningShare } from '../../contracts/control-api.ts'
import { formatAge } from '../format.ts'
import type { Finding } from './check.ts'

export function checkAuthority(certificates: readonly AuthorityCertificate[], nowMs: number): Finding {
  const check = 'certificate authority far from expiry'
  // one that retires is trusted only until it is forgotten
  const used = certificates.filter(({ use }) => use !== 'retiring')
  const expired = used.filter(({ notAfterMs }) => notAfterMs <= nowMs)
  if (expired.length > 0) return { check, ok: false, detail: expired.map((one) => describe(one, nowMs)).join('; ') }
  const ending = used.filter(
    ({ notBeforeMs, notAfterMs }) => notAfterMs - nowMs < (notAfterMs - notBeforeMs) * authorityWarningShare,
  )
  if (ending.length > 0) {
    return { check, ok: true, warning: true, detail: ending.map((one) => describe(one, nowMs)).join('; ') }
  }
  const [first] = used.toSorted((a, b) => a.notAfterMs - b.notAfterMs)
  return { check, ok: true, detail: first === undefined ? 'none' : describe(first, nowMs, false) }
}

function describe({ role, notAfterMs }: AuthorityCertificate, nowMs: number, advise = true): string {
  const leftMs = notAfterMs - nowMs
  const when = leftMs > 0 ? `expires in ${formatAge(leftMs)}` : `expired ${formatAge(-leftMs)} ago`
  return `the ${role} ${when}${advise ? `: run \`heddle certs rotate --${role}\`` : ''}`
}
