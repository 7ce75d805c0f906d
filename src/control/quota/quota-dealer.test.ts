import { EventEmitter } from 'node:events'

import { status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { CarelessAuthority } from '../../../test/kit/svid-with-faults.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import type { QuotaAssignment } from '../../contracts/xds/gen/heddle/v1/quota_pb.ts'
import { createRandom } from '../../core/random.ts'
import { LimitBuckets } from '../../policies/rate-limit/limit-buckets.runtime.ts'
import type { LocalRateLimitSpec } from '../../policies/rate-limit/rate-limit.spec.ts'
import { QuotaDealer } from './quota-dealer.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const certificate = certificatesFromPem(new CarelessAuthority().issue({ uri: web }).certificateChainPem)[0]
const limit = 'TrafficPolicy/default/web/all'
const perSecond = 1_000
const spec: LocalRateLimitSpec = {
  name: limit,
  tokenBucket: { maxTokens: 100, tokensPerFill: perSecond, fillIntervalMs: 1_000 },
  descriptor: [],
  enforcedShare: 1_000_000,
  shared: true,
}

/** The server's end of a stream. */
class Call extends EventEmitter {
  readonly assigned: QuotaAssignment[] = []
  refused: number | undefined
  readonly #raw: Buffer | undefined

  constructor(raw: Buffer | undefined = certificate) {
    super()
    this.#raw = raw
    this.on('error', ({ code }: { code: number }) => (this.refused = code))
  }

  getAuthContext(): object {
    return this.#raw === undefined ? {} : { sslPeerCertificate: { raw: this.#raw } }
  }

  write(assignment: QuotaAssignment): void {
    this.assigned.push(assignment)
    this.emit('assigned', assignment)
  }

  end(): void {
    this.emit('close')
  }

  report(node: string, rate: number, name = limit): void {
    this.emit('data', { node, demands: [{ limit: name, perSecond: rate }] })
  }
}

function dealer(nodes: readonly string[]) {
  const clock = new ManualClock()
  const revoked = new Set<string>()
  const quotas = new QuotaDealer({
    clock,
    isRevoked: (spiffeId) => revoked.has(spiffeId),
    proxies: () => new Map(nodes.map((node) => [node, web])),
    limitsOf: () => new Map([[limit, perSecond]]),
  })
  const accept = quotas.service().implementation['ReportDemand'] as unknown as (call: Call) => void
  const open = (call = new Call()): Call => {
    accept(call)
    return call
  }
  return { clock, quotas, open, revoked }
}

function shareOf(call: Call): number | undefined {
  return call.assigned.at(-1)?.shares[0]?.share
}

describe('who may report', () => {
  it('is the proxy that the certificate names, for its own limits', () => {
    const { open } = dealer(['sidecar~default~web'])
    const stranger = open()
    stranger.report('sidecar~default~other', 5)
    expect(stranger.refused).toBe(status.PERMISSION_DENIED)
    const nobody = open(new Call(Buffer.from('no certificate')))
    expect(() => nobody.report('sidecar~default~web', 5)).not.toThrow()
    expect(nobody.refused).toBe(status.PERMISSION_DENIED)
    const own = open()
    own.report('sidecar~default~web', 5, 'TrafficPolicy/default/other/all')
    expect(own.assigned).toEqual([])
    own.report('sidecar~default~web', Number.NaN)
    expect(own.assigned).toEqual([])
    own.report('sidecar~default~web', 5)
    expect(shareOf(own)).toBe(1)
  })

  it('is nobody whose certificate is revoked, also where the stream was open', () => {
    const { open, revoked } = dealer(['a'])
    const a = open()
    a.report('a', 5)
    expect(shareOf(a)).toBe(1)
    revoked.add(web)
    a.report('a', 6)
    expect(a.refused).toBe(status.PERMISSION_DENIED)
    expect(a.assigned).toHaveLength(1)
  })

  it('shares anew when somebody comes or goes', () => {
    const { clock, open } = dealer(['a', 'b'])
    const [a, b] = [open(), open()]
    a.report('a', 5_000)
    b.report('b', 5_000)
    expect([shareOf(a), shareOf(b)]).toEqual([0.5, 0.5])
    expect(b.assigned.at(-1)?.shares[0]?.fallbackShare).toBe(0.5)
    b.end()
    clock.advance(1_000)
    expect(shareOf(a)).toBe(1)
    a.end()
    clock.advance(2_000)
    expect(clock.pendingCount).toBe(0)
  })
})

/** Requests a second of each proxy at a time. */
type Demand = (proxy: number, seconds: number) => number

/** Accepted requests a second, from `fromSeconds` on; every proxy reports and is told as it is over the wire. */
function run(proxies: number, demand: Demand, seconds: number, fromSeconds: number, awayAtSeconds = Infinity): number {
  const nodes = Array.from({ length: proxies }, (_, index) => `sidecar~default~web-${index}`)
  const { clock, quotas, open } = dealer(nodes)
  const startMs = clock.monotonicMs()
  const parts = nodes.map((node) => {
    const limits = new LimitBuckets(1)
    limits.keep([spec])
    const call = open()
    call.on('assigned', ({ shares }: QuotaAssignment) => {
      for (const one of shares) limits.assign(one.limit, one.share, one.fallbackShare, clock.monotonicMs())
    })
    return { node, limits, call, due: 0 }
  })
  const random = createRandom(11)
  const stepMs = 5
  let accepted = 0
  let away = false
  for (let atMs = 0; atMs < seconds * 1_000; atMs += stepMs) {
    if (!away && atMs >= awayAtSeconds * 1_000) {
      away = true
      quotas.stop()
    }
    for (const [index, part] of parts.entries()) {
      // each at another time of the second
      const offsetMs = Math.floor((index * 1_000) / proxies / stepMs) * stepMs
      if (!away && atMs % 1_000 === offsetMs) {
        const [report] = part.limits.takeDemands(clock.monotonicMs())
        part.call.report(part.node, report?.perSecond ?? 0)
      }
      if (away && atMs % 1_000 === 0) part.limits.expire(clock.monotonicMs())
      part.due += (2 * random.next() * demand(index, atMs / 1_000) * stepMs) / 1_000
      for (; part.due >= 1; part.due--) {
        const passes = part.limits.of(spec).take('', clock.monotonicMs()) === 0
        if (passes && atMs >= fromSeconds * 1_000) accepted++
      }
    }
    clock.advance(stepMs)
  }
  expect(clock.monotonicMs() - startMs).toBe(seconds * 1_000)
  return accepted / (seconds - fromSeconds)
}

describe.each([1, 3, 50])('%i proxies together', (proxies) => {
  it('let pass what the limit allows when more is asked, however it is spread', () => {
    const even = run(proxies, () => (2 * perSecond) / proxies, 20, 5)
    expect(Math.abs(even / perSecond - 1)).toBeLessThan(0.05)
    const uneven = run(proxies, (proxy) => (proxy === 0 ? 3 * perSecond : 50 / proxies), 20, 5)
    expect(Math.abs(uneven / perSecond - 1)).toBeLessThan(0.05)
  })

  it('let pass everything when less is asked, be it of one alone', () => {
    const asked = 0.75 * perSecond
    const accepted = run(proxies, (proxy) => (proxy === 0 ? asked : 0), 20, 5)
    expect(Math.abs(accepted / asked - 1)).toBeLessThan(0.05)
  })

  it('follow demand that moves from one to another', () => {
    const moving: Demand = (proxy, at) => (proxy === Math.floor(at / 20) % proxies ? 2 * perSecond : 0)
    const accepted = run(proxies, moving, 60, 0)
    // what a move costs: a second or two until the reports have told of it
    expect(accepted / perSecond).toBeGreaterThan(0.9)
    expect(accepted / perSecond).toBeLessThan(1.05)
  })

  it('keep within the limit while the control plane is away', () => {
    const accepted = run(proxies, () => (2 * perSecond) / proxies, 20, 10, 8)
    expect(Math.abs(accepted / perSecond - 1)).toBeLessThan(0.05)
  })
})
