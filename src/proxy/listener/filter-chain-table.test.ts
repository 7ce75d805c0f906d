import { describe, expect, it } from 'vitest'

import type { FilterChainConfig } from '../runtime/runtime-config.ts'
import { createFilterChainTable } from './filter-chain-table.ts'

function chain(name: string, match: Partial<FilterChainConfig['match']>): FilterChainConfig {
  return {
    name,
    match: { transport: 'any', serverNames: [], applicationProtocols: [], ...match },
    filter: { kind: 'tcp', backends: [], route: 'default' },
  }
}

const table = createFilterChainTable({
  filterChains: [
    chain('exact', { transport: 'tls', serverNames: ['a.example.com'] }),
    chain('suffix', { transport: 'tls', serverNames: ['*.example.com'] }),
    chain('longer suffix', { transport: 'tls', serverNames: ['*.b.example.com'] }),
    chain('only h2', { transport: 'tls', serverNames: ['h2.example.com'], applicationProtocols: ['h2'] }),
    chain('mesh', { transport: 'tls', applicationProtocols: ['heddle-tcp', 'http/1.1'] }),
    chain('h2 too', { transport: 'tls', applicationProtocols: ['h2', 'http/1.1'] }),
    chain('http', { transport: 'plaintext', applicationProtocols: ['http/1.1', 'h2c'] }),
    chain('opaque', { transport: 'any' }),
  ],
})

const tls = (serverName?: string, ...applicationProtocols: string[]) =>
  table.match({ transport: 'tls', serverName, applicationProtocols })?.name
const plaintext = (...applicationProtocols: string[]) =>
  table.match({ transport: 'plaintext', serverName: undefined, applicationProtocols })?.name

describe('the choice of a filter chain', () => {
  it('takes an exact server name before a suffix, and the longest suffix', () => {
    expect(tls('a.example.com')).toBe('exact')
    expect(tls('c.example.com')).toBe('suffix')
    expect(tls('a.b.example.com')).toBe('longer suffix')
    expect(tls('x.a.b.example.com')).toBe('longer suffix')
    expect(tls('example.com')).toBe('opaque')
    expect(tls('b.example.com')).toBe('suffix')
  })

  it('tries nothing less specific once a server name has matched', () => {
    expect(tls('h2.example.com', 'h2')).toBe('only h2')
    expect(tls('h2.example.com', 'http/1.1')).toBeUndefined()
  })

  it('takes the protocol that the client wants most, and the first chain that names it', () => {
    expect(tls(undefined, 'h2', 'http/1.1')).toBe('h2 too')
    expect(tls(undefined, 'http/1.1', 'h2')).toBe('mesh')
    expect(tls('other.test', 'heddle-tcp')).toBe('mesh')
  })

  it('takes TLS that fits no TLS chain as opaque bytes where a chain is for any transport', () => {
    expect(tls(undefined, 'mysql')).toBe('opaque')
    expect(tls()).toBe('opaque')
  })

  it('tells HTTP from what was not recognised', () => {
    expect(plaintext('http/1.1')).toBe('http')
    expect(plaintext('h2c')).toBe('http')
    expect(plaintext()).toBe('opaque')
  })

  it('finds nothing where nothing fits', () => {
    const strict = createFilterChainTable({ filterChains: [chain('mesh', { transport: 'tls' })] })
    expect(strict.match({ transport: 'plaintext', serverName: undefined, applicationProtocols: [] })).toBeUndefined()
  })
})
