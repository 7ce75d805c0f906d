import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import { defaultForwarding } from '../../policies/forwarded-headers/forwarded-headers.runtime.ts'
import { remoteAddressOf } from './first-hop.ts'

describe('the remote address', () => {
  it.each([
    ['gateway', 0, false, '203.0.113.7, 198.51.100.1', '127.0.0.1'],
    ['gateway', 1, false, '203.0.113.7, 198.51.100.1', '203.0.113.7'],
    ['gateway', 1, false, 'unknown, 198.51.100.1', '127.0.0.1'],
    ['gateway', 1, false, undefined, '127.0.0.1'],
    ['inbound', 0, true, '203.0.113.7, 198.51.100.1', '198.51.100.1'],
    ['inbound', 0, true, '2001:db8::1', '2001:db8::1'],
    ['inbound', 0, true, undefined, '127.0.0.1'],
    ['inbound', 0, false, '203.0.113.7', '127.0.0.1'],
    ['outbound', 0, false, '203.0.113.7', '127.0.0.1'],
  ] as const)('at a %s listener with %i trusted hops, from the mesh: %s, said %s, is %s', (...row) => {
    const [direction, trustedHops, inMesh, said, expected] = row
    const headers = said === undefined ? new HeaderList() : HeaderList.of(['x-forwarded-for', said])
    const request = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers } as const
    const caller = { address: '127.0.0.1', protocol: 'HTTP/1.1', secure: false }
    const forwarding = { ...defaultForwarding[direction], trustedHops }
    expect(remoteAddressOf(request, caller, direction, forwarding, inMesh)).toBe(expected)
  })
})
