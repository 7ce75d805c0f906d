import { EventEmitter } from 'node:events'

import { status } from '@grpc/grpc-js'
import type { Client } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { CarelessAuthority } from '../../../test/kit/svid-with-faults.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { trustFingerprint } from '../../contracts/identity/trust-fingerprint.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { TlsCredentials } from '../io/connection.ts'
import type { RevokedSvids } from '../io/revoked-peers.ts'
import { watchTrust } from './trust-watch.ts'

class Call extends EventEmitter {
  readonly reports: string[] = []
  readonly versions: bigint[] = []
  cancelled = false

  write(report: { node: string; trustFingerprint: string; revocationsVersion: bigint }): void {
    this.reports.push(`${report.node} ${report.trustFingerprint}`)
    this.versions.push(report.revocationsVersion)
  }

  cancel(): void {
    this.cancelled = true
    this.emit('status', { code: status.CANCELLED })
  }
}

function start(): {
  readonly calls: Call[]
  readonly clock: ManualClock
  readonly credentials: WatchableValue<TlsCredentials | undefined>
  readonly renewals: number[]
  readonly revoked: WatchableValue<RevokedSvids>
  readonly stop: () => void
} {
  const calls: Call[] = []
  const clock = new ManualClock()
  const credentials = new WatchableValue<TlsCredentials | undefined>(undefined)
  const renewals: number[] = []
  const revoked = new WatchableValue<RevokedSvids>({ version: 0, notBeforeMs: {} })
  const client = {
    makeBidiStreamRequest() {
      calls.push(new Call())
      return calls.at(-1)
    },
  } as unknown as Client
  const identity = {
    credentials,
    renewWithin: (withinMs: number): void => void renewals.push(withinMs),
    revoked,
    revoke: (list: RevokedSvids): void => revoked.set(list),
  }
  const stop = watchTrust(client, { node: 'n', processes: 1, identity, clock })
  return { calls, clock, credentials, renewals, revoked, stop }
}

describe('the watch over trust, in the proxy', () => {
  it('reports what is in force, anew after each change, and renews when asked', () => {
    const { calls, credentials, renewals, revoked } = start()
    const authority = new CarelessAuthority()
    const issued = authority.issue()
    credentials.set(issued)
    credentials.set(undefined)
    const [, ...issuers] = certificatesFromPem(issued.certificateChainPem)
    const fingerprint = trustFingerprint(issuers, certificatesFromPem(authority.rootsPem))
    expect(calls.map(({ reports }) => reports)).toEqual([['n ', `n ${fingerprint}`, 'n ']])
    calls[0]?.emit('data', { renewWithinMs: 500 })
    calls[0]?.emit('data', {
      renewWithinMs: 0,
      revocations: { version: 3n, revocations: [{ spiffeId: 'spiffe://a/b', notBeforeSeconds: 7n }] },
    })
    expect([renewals, revoked.value]).toEqual([[500], { version: 3, notBeforeMs: { 'spiffe://a/b': 7_000 } }])
    expect(calls[0]?.versions).toEqual([0n, 0n, 0n, 3n])
  })

  it('comes back when the stream ends, unless it is stopped', () => {
    const { calls, clock, stop } = start()
    calls[0]?.emit('status', { code: status.OK })
    clock.advance(1_000)
    expect(calls).toHaveLength(2)
    expect(calls[1]?.reports).toHaveLength(1)
    stop()
    expect(calls[1]?.cancelled).toBe(true)
    clock.advance(10_000)
    expect([calls.length, clock.pendingCount]).toEqual([2, 0])
  })

  it('lets xDS servers be that know nothing of it', () => {
    const { calls, clock } = start()
    calls[0]?.emit('error', new Error('unimplemented'))
    calls[0]?.emit('status', { code: status.UNIMPLEMENTED })
    clock.advance(60_000)
    expect(calls).toHaveLength(1)
  })
})
