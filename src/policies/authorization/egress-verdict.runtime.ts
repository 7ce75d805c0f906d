// What is kept where policies are asked twice about one request: of who came in, and of where it goes out to.
import type { AuthorizationRecord } from '../../contracts/decision-record.ts'

/** `before` has allowed it. What decides is `last`; audits and dry runs of both are reported. */
export function joinVerdicts(before: AuthorizationRecord | undefined, last: AuthorizationRecord): AuthorizationRecord {
  if (before === undefined) return last
  const audited = before.audited.length === 0 ? last.audited : [...before.audited, ...last.audited]
  const shadow = before.shadow?.allowed === false ? before.shadow : (last.shadow ?? before.shadow)
  return { ...last, audited, shadow }
}
