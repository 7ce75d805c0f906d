// oxlint-disable no-underscore-dangle -- the names are those of grpc-js
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, it, onTestFinished } from 'vitest'

import { recordingLogger } from '../../../test/kit/identity-plane.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createAuthority } from './authority.ts'
import { createControlPlaneServerCredentials } from './server-credentials.ts'

describe("the control plane's own credentials", () => {
  it('are renewed at half-life, and again soon after a failure, while the old ones serve', () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'heddle-server-'))
    onTestFinished(() => rmSync(stateDir, { recursive: true }))
    const clock = new ManualClock()
    const authority = createAuthority({ stateDir, trustDomain: 'mesh.local', clock, svidLifetimeMs: () => 60_000 })
    const log: string[] = []
    let failing = false
    const flaky = {
      ...authority,
      trustBundle: authority.trustBundle,
      issueServerSvid() {
        if (failing) throw new Error('disk full')
        return authority.issueServerSvid()
      },
    }
    const server = createControlPlaneServerCredentials({ authority: flaky, clock, logger: recordingLogger(log) })
    const seen: unknown[] = []
    server.credentials._addWatcher((context) => seen.push(context?.cert))
    const first = server.credentials._getSecureContextOptions()?.cert
    clock.advance(29_000)
    expect(seen).toHaveLength(0)
    clock.advance(1_000)
    expect(seen).toHaveLength(1)
    failing = true
    clock.advance(32_000)
    expect(seen).toHaveLength(1)
    expect(server.credentials._getSecureContextOptions()?.cert).toBe(seen[0])
    expect(log[0]).toContain('could not be renewed {"reason":"disk full"}')
    failing = false
    clock.advance(1_000)
    expect(seen).toHaveLength(2)
    expect(new Set([first, ...seen]).size).toBe(3)
    server.stop()
    expect(clock.pendingCount).toBe(0)
  })
})
