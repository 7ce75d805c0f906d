// Tokens of the control-plane API for tests, without a store behind them: one for each role, each named like its role.
import type { ApiRole } from '../../src/contracts/control-api.ts'
import type { AuditEntry } from '../../src/control/api/audit-log.ts'
import type { ControlApiDeps } from '../../src/control/api/control-api-deps.ts'

export interface ApiAccess extends Pick<ControlApiDeps, 'tokens' | 'audit'> {
  readonly entries: AuditEntry[]
}

export function apiAccess(tokens: Partial<Record<ApiRole, string>>): ApiAccess {
  const roles = Object.entries(tokens) as [ApiRole, string][]
  const entries: AuditEntry[] = []
  return {
    tokens: {
      callerOf(given) {
        const found = roles.find(([, token]) => token === given)
        return found === undefined ? undefined : { name: found[0], role: found[0] }
      },
      list: () => [],
      create: () => Promise.resolve('a-new-token'),
      delete: () => Promise.resolve(false),
    },
    audit: { append: (entry) => entries.push(entry) },
    entries,
  }
}
