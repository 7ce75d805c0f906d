import { EventEmitter } from 'node:events'

import { status } from '@grpc/grpc-js'
import { beforeEach, describe, expect, it } from 'vitest'

import { CarelessAuthority } from '../../../test/kit/svid-with-faults.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import type { TrustUpdate } from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { RevocationList } from './revocations.ts'
import { TrustWatch } from './trust-watch.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const proxies = new Map([
  ['sidecar~default~web', web],
  ['sidecar~default~other', 'spiffe://mesh.local/ns/default/sa/other'],
])
const authority = new CarelessAuthority()
const shown = new Map(
  [web, 'spiffe://mesh.local'].map((uri) => [
    uri,
    certificatesFromPem(authority.issue({ uri }).certificateChainPem)[0],
  ]),
)

/** The server's end of a stream. */
class Call extends EventEmitter {
  readonly asked: number[] = []
  readonly told: bigint[] = []
  ended = false
  refused: number | undefined
  readonly #raw: Buffer | undefined

  constructor(spiffeId: string | undefined) {
    super()
    this.#raw = shown.get(spiffeId ?? '')
    this.on('error', ({ code }: { code: number }) => (this.refused = code))
  }

  getAuthContext(): object {
    return this.#raw === undefined ? {} : { sslPeerCertificate: { raw: this.#raw } }
  }

  get writableEnded(): boolean {
    return this.ended
  }

  write({ renewWithinMs, revocations }: TrustUpdate): void {
    if (renewWithinMs > 0) this.asked.push(renewWithinMs)
    if (revocations !== undefined) this.told.push(revocations.version)
  }

  end(): void {
    this.ended = true
    this.emit('close')
  }

  report(node: string, trustFingerprint: string, revocationsVersion = 0n, processes = 1): void {
    this.emit('data', { node, trustFingerprint, revocationsVersion, processes })
  }
}

describe('the watch over what proxies trust', () => {
  let trustFingerprint: WatchableValue<string>
  let list: WatchableValue<RevocationList>
  let revoked: string | undefined
  let watch: TrustWatch
  let changes: number

  beforeEach(() => {
    trustFingerprint = new WatchableValue('one')
    list = new WatchableValue<RevocationList>({ version: 0, revocations: [] })
    revoked = undefined
    changes = 0
    watch = new TrustWatch({
      authority: { trustFingerprint, revocations: { list, refusesCertificate: (spiffeId) => spiffeId === revoked } },
      proxies: () => proxies,
      svidLifetimeMs: () => 60_000,
      changed: () => changes++,
    })
  })

  function connect(spiffeId: string | undefined): Call {
    const call = new Call(spiffeId)
    const { WatchTrust } = watch.service().implementation
    ;(WatchTrust as unknown as (accepted: Call) => void)(call)
    return call
  }

  it('asks who is behind, at once and after each change, and nobody else', () => {
    const call = connect(web)
    call.report('sidecar~default~web', 'old')
    expect([call.asked.length, watch.isCurrent('sidecar~default~web'), changes]).toEqual([1, false, 1])
    call.report('sidecar~default~web', 'one')
    expect([call.asked.length, watch.isCurrent('sidecar~default~web'), changes]).toEqual([1, true, 2])
    trustFingerprint.set('two')
    expect([call.asked.length, watch.isCurrent('sidecar~default~web')]).toEqual([2, false])
    call.report('sidecar~default~web', 'one')
    expect(call.asked).toHaveLength(3)
  })

  it('spreads many proxies over a quarter of a life at most', () => {
    const calls = Array.from({ length: 1_000 }, () => connect(web))
    for (const call of calls) call.report('sidecar~default~web', 'old')
    expect(calls[0]?.asked).toEqual([20])
    expect(calls[999]?.asked).toEqual([15_000])
  })

  it('believes a proxy only when all of its processes agree, and only while they are there', () => {
    const [one, two] = [connect(web), connect(web)]
    one.report('sidecar~default~web', 'one', 0n, 2)
    expect(watch.isCurrent('sidecar~default~web')).toBe(false)
    two.report('sidecar~default~web', 'old', 0n, 2)
    expect(watch.isCurrent('sidecar~default~web')).toBe(false)
    two.report('sidecar~default~web', 'one', 0n, 2)
    expect(watch.isCurrent('sidecar~default~web')).toBe(true)
    one.end()
    // it may be there still, with what it held before
    expect([watch.isCurrent('sidecar~default~web'), watch.refusesRevoked('sidecar~default~web')]).toEqual([
      false,
      false,
    ])
    connect(web).report('sidecar~default~web', 'one', 0n, 2)
    expect(watch.isCurrent('sidecar~default~web')).toBe(true)
    expect(watch.isCurrent('sidecar~default~other')).toBe(false)
  })

  it('tells each what is revoked, and knows who refuses it', () => {
    const call = connect(web)
    call.report('sidecar~default~web', 'one')
    expect([call.told, watch.refusesRevoked('sidecar~default~web')]).toEqual([[], true])
    list.set({ version: 1, revocations: [] })
    expect([call.told, watch.refusesRevoked('sidecar~default~web')]).toEqual([[1n], false])
    call.report('sidecar~default~web', 'one', 1n)
    expect([call.told, watch.refusesRevoked('sidecar~default~web')]).toEqual([[1n], true])
    const late = connect(web)
    late.report('sidecar~default~web', 'one', 0n)
    expect([late.told, watch.refusesRevoked('sidecar~default~web')]).toEqual([[1n], false])
    expect([call.asked, late.asked]).toEqual([[], []])
    expect(watch.refusesRevoked('sidecar~default~other')).toBe(false)
  })

  it('sends away whose own certificate is revoked, and says why', () => {
    const call = connect(web)
    call.report('sidecar~default~web', 'one')
    revoked = web
    list.set({ version: 1, revocations: [] })
    expect([call.told, call.asked.length, call.ended]).toEqual([[1n], 1, true])
    call.report('sidecar~default~web', 'one', 1n)
    expect([call.told.length, watch.refusesRevoked('sidecar~default~web')]).toEqual([1, false])
  })

  it.each([
    ["somebody else's node", web, 'sidecar~default~other'],
    ['a node that is not there', web, 'sidecar~default~nobody'],
    ['a node without a certificate to show', undefined, 'sidecar~default~web'],
    ['a node with the SPIFFE ID of a whole domain', 'spiffe://mesh.local', 'sidecar~default~web'],
  ])('lets nobody report for %s', (_, spiffeId, node) => {
    const call = connect(spiffeId)
    call.report(node, 'one')
    expect(call.refused).toBe(status.PERMISSION_DENIED)
    expect([watch.isCurrent(node), changes, call.asked]).toEqual([false, 0, []])
  })
})
