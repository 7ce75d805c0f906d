// Serves the dashboard, or says why it cannot: the control plane works without. Part of its composition root.
import { fileURLToPath } from 'node:url'

import type { Problem } from '../contracts/problem.ts'
import { readOrCreateDashboardToken } from '../control/api/admin-token.ts'
import { errorMessage } from '../core/errors.ts'
import { readPageAssets } from '../dashboard-api/page-assets.ts'
import { startPageServer } from '../dashboard-api/page-server.ts'
import type { PageServer, PageServerDeps } from '../dashboard-api/page-server.ts'

export interface Dashboard {
  /** With the token, which no server gets to see. Absent: it is not served. */
  readonly url?: string
  readonly problems: readonly Problem[]
  stop(): Promise<void>
}

const folder = fileURLToPath(new URL('../../build/dashboard/', import.meta.url))

export async function startDashboard(
  stateDir: string,
  { host, port }: { readonly host: string; readonly port: number },
  deps: Omit<PageServerDeps, 'assets' | 'token'>,
): Promise<Dashboard> {
  const { logger } = deps
  const without = (problem: Pick<Problem, 'code' | 'message' | 'hint'>): Dashboard => {
    logger.warn('no dashboard', { reason: problem.message })
    return { problems: [{ severity: 'warning', ...problem }], stop: () => Promise.resolve() }
  }
  const assets = readPageAssets(folder)
  if (assets === undefined) {
    const message = `the dashboard was not built: there is no ${folder}`
    return without({ code: 'HDL001', message, hint: 'run `make dashboard`, or start with --no-dashboard' })
  }
  const token = readOrCreateDashboardToken(stateDir)
  let server: PageServer
  try {
    server = await startPageServer({ ...deps, assets, token }, host, port)
  } catch (error) {
    const message = `the dashboard cannot be served at ${host}:${port}: ${errorMessage(error)}`
    return without({
      code: 'HDL011',
      message,
      hint: 'stop what listens there, or choose another port with --dashboard-port',
    })
  }
  return { url: `${server.url}/#token=${token}`, problems: [], stop: () => server.stop() }
}
