import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { configOf, listenerOn } from '../../../test/kit/request-line.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import type { FilterChainConfig, ListenerConfig, RuntimeConfig } from '../runtime/runtime-config.ts'
import { mergePlaintextCallers, PlaintextCallers } from './plaintext-callers.ts'

const tls: Partial<FilterChainConfig> = {
  name: 'tls',
  match: { transport: 'tls', serverNames: [], applicationProtocols: [] },
  tls: { kind: 'mesh', requireClientCertificate: true, alpn: [] },
}

function under(mode: 'STRICT' | 'PERMISSIVE' | 'DISABLE', changes: Partial<ListenerConfig> = {}): RuntimeConfig {
  const base = listenerOn(1, { kind: 'rds', name: 'a' }, { name: 'in', direction: 'inbound', ...changes })
  const [plaintext] = base.filterChains as [FilterChainConfig]
  const secured = { ...plaintext, ...tls }
  const filterChains = { STRICT: [secured], PERMISSIVE: [secured, plaintext], DISABLE: [plaintext] }[mode]
  return configOf({ listeners: [{ ...base, filterChains }] })
}

function start(): { readonly clock: ManualClock; readonly callers: PlaintextCallers } {
  const clock = new ManualClock()
  return { clock, callers: new PlaintextCallers(clock) }
}

describe('plaintext callers', () => {
  it.each(['STRICT', 'DISABLE'] as const)('are not kept under %s', (mode) => {
    const { callers } = start()
    callers.update(under(mode))
    callers.plaintextOpened('in', '10.0.0.1')
    expect(callers.report()).toEqual([])
  })

  it('are not kept of listeners that are not inbound', () => {
    const { callers } = start()
    callers.update(under('PERMISSIVE', { direction: 'gateway' }))
    expect(callers.report()).toEqual([])
  })

  it('are told with connections, requests and when they were seen last', () => {
    const { clock, callers } = start()
    const startMs = clock.nowMs()
    callers.update(under('PERMISSIVE'))
    clock.advance(1_000)
    for (const address of ['10.0.0.1', '10.0.0.1', '10.0.0.2']) callers.plaintextOpened('in', address)
    const plain = sampleExchange({ reporter: 'destination', listener: 'in', mtls: false, protocol: 'HTTP/1.1' })
    for (const changes of [{}, {}, { mtls: true }, { reporter: 'source' as const }, { protocol: 'TCP' }])
      callers.finished({ ...plain, source: { remoteAddress: '10.0.0.1', remotePort: 1 }, ...changes })
    clock.advance(1_000)
    callers.plaintextClosed('in', '10.0.0.2')
    clock.advance(1_000)
    expect(callers.report()).toEqual([
      {
        listener: 'in',
        sinceMs: startMs,
        callers: [
          { address: '10.0.0.1', connections: 2, openConnections: 2, requests: 2, lastSeenMs: startMs + 3_000 },
          { address: '10.0.0.2', connections: 1, openConnections: 0, requests: 0, lastSeenMs: startMs + 2_000 },
        ],
      },
    ])
  })

  it('are a hundred at most, and the others together', () => {
    const { callers } = start()
    callers.update(under('PERMISSIVE'))
    for (let host = 0; host < 150; host++) callers.plaintextOpened('in', `10.0.0.${host}`)
    for (const host of [7, 120, 130]) callers.plaintextClosed('in', `10.0.0.${host}`)
    const [report] = callers.report()
    expect(report?.callers).toHaveLength(101)
    expect(report?.callers[7]).toMatchObject({ address: '10.0.0.7', openConnections: 0 })
    expect(report?.callers[100]).toMatchObject({ address: 'others', connections: 50, openConnections: 48 })
  })

  it('are forgotten when the listener demands mutual TLS, and kept over other changes', () => {
    const { clock, callers } = start()
    callers.update(under('PERMISSIVE'))
    callers.plaintextOpened('in', '10.0.0.1')
    callers.update(under('PERMISSIVE', { detectTimeoutMs: 1 }))
    expect(callers.report()[0]?.callers).toHaveLength(1)
    callers.update(under('STRICT'))
    clock.advance(5_000)
    callers.update(under('PERMISSIVE'))
    expect(callers.report()).toEqual([{ listener: 'in', sinceMs: clock.nowMs(), callers: [] }])
  })

  it('of several workers are added up', () => {
    const caller = { address: 'a', connections: 1, openConnections: 1, requests: 2, lastSeenMs: 5 }
    const one = { listener: 'in', sinceMs: 1, callers: [caller] }
    const other = {
      listener: 'in',
      sinceMs: 3,
      callers: [
        { ...caller, lastSeenMs: 9 },
        { ...caller, address: 'b' },
      ],
    }
    expect(mergePlaintextCallers([[one], [other], []])).toEqual([
      {
        listener: 'in',
        sinceMs: 3,
        callers: [
          { address: 'a', connections: 2, openConnections: 2, requests: 4, lastSeenMs: 9 },
          { ...caller, address: 'b' },
        ],
      },
    ])
  })
})
