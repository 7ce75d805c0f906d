import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { DesiredSidecar } from '../../contracts/desired-state.ts'
import { JoinTokens, type TokenSource } from './join-tokens.ts'

const lifetimeMs = 600_000
const web: DesiredSidecar = {
  kind: 'sidecar',
  namespace: 'default',
  name: 'web',
  spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
  adminAddress: '',
  metricsAddress: '',
  applicationPorts: [],
}

let stateDir = ''
let clock = new ManualClock()
let made = 0
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'heddle-tokens-'))
  clock = new ManualClock()
  made = 0
})
afterEach(() => rmSync(stateDir, { recursive: true, force: true }))

const source: TokenSource = () => Promise.resolve({ token: `token-${++made}`, expiresAtMs: clock.nowMs() + lifetimeMs })

/** Lets what waits for a settled promise go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve()
}

describe('JoinTokens', () => {
  it('writes a token that only its owner reads, and another at half of its life', async () => {
    const tokens = new JoinTokens(stateDir, clock, source)
    await tokens.keepFresh(web)
    const file = tokens.file(web)
    expect(file).toBe(join(stateDir, 'tokens', 'default.web'))
    expect(readFileSync(file, 'utf8')).toBe('token-1\n')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    clock.advance(lifetimeMs / 2 - 1)
    await settle()
    expect(made).toBe(1)
    clock.advance(1)
    await settle()
    expect(readFileSync(file, 'utf8')).toBe('token-2\n')
    expect(clock.pendingCount).toBe(1)
  })

  it('tries again soon when the control plane is away', async () => {
    let away = true
    const tokens = new JoinTokens(stateDir, clock, (sidecar) =>
      away ? Promise.reject(new Error('away')) : source(sidecar),
    )
    await tokens.keepFresh(web)
    expect(existsSync(tokens.file(web))).toBe(false)
    away = false
    clock.advance(2000)
    await settle()
    expect(readFileSync(tokens.file(web), 'utf8')).toBe('token-1\n')
  })

  it('forgets the tokens of what is gone, and all when it stops', async () => {
    const tokens = new JoinTokens(stateDir, clock, source)
    const gateway: DesiredSidecar = { ...web, kind: 'gateway' }
    await tokens.keepFresh(web)
    await tokens.keepFresh(gateway)
    expect(tokens.file(gateway)).not.toBe(tokens.file(web))
    tokens.forget(web)
    expect([existsSync(tokens.file(web)), existsSync(tokens.file(gateway))]).toEqual([false, true])
    tokens.stop()
    expect(existsSync(tokens.file(gateway))).toBe(false)
    expect(clock.pendingCount).toBe(0)
  })
})
