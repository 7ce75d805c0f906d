import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { PortAllocator, PortsExhaustedError, type PortPurpose } from './port-allocator.ts'

const portBase = 20_000
let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-ports-'))
  file = join(folder, 'ports.json')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function open(taken: readonly number[] = [], clock = new ManualClock(), base = portBase): PortAllocator {
  return new PortAllocator({
    file,
    portBase: base,
    clock,
    probe: (_, port) => Promise.resolve(!taken.includes(port)),
    keepGoneForMs: 1000,
  })
}

const web = new Map<string, PortPurpose[]>([['default/web', ['outbound', 'admin']]])

describe('PortAllocator', () => {
  it('hands out ports above the base and skips those that are taken', async () => {
    const ports = open([20_001, 20_003])
    await ports.reserve(web)
    const [outbound, admin] = [ports.address('default/web', 'outbound'), ports.address('default/web', 'admin')]
    expect(outbound.host).toBe('127.0.0.1')
    expect(new Set([outbound.port, admin.port])).toEqual(new Set([20_002, 20_004]))
  })

  it('remembers addresses over restarts, in a file that only its owner reads', async () => {
    const before = open()
    await before.reserve(web)
    const address = before.address('default/web', 'admin')
    expect(open([address.port]).address('default/web', 'admin')).toEqual(address)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('keeps the ports of what is gone for a while, then hands them out again', async () => {
    const clock = new ManualClock()
    const ports = open([], clock)
    await ports.reserve(web)
    const { port } = ports.address('default/web', 'outbound')
    await ports.reserve(new Map([['default/api', ['outbound']]]))
    expect(ports.address('default/api', 'outbound').port).not.toBe(port)
    clock.advance(1001)
    await ports.reserve(new Map([['default/api', ['outbound', 'admin', 'metrics']]]))
    expect([ports.address('default/api', 'admin').port, ports.address('default/api', 'metrics').port]).toContain(port)
  })

  it('gives back a port that a document claims', async () => {
    const ports = open()
    await ports.reserve(web)
    const { port } = ports.address('default/web', 'admin')
    await ports.reserve(web, new Set([port]))
    expect(ports.address('default/web', 'admin').port).not.toBe(port)
  })

  it('drops what somebody else has taken while nothing ran', async () => {
    const before = open()
    await before.reserve(web)
    const { port } = before.address('default/web', 'admin')
    await open([port]).dropTaken()
    const after = open([port])
    await after.reserve(web)
    expect(after.address('default/web', 'admin').port).not.toBe(port)
    expect(after.address('default/web', 'outbound')).toEqual(before.address('default/web', 'outbound'))
  })

  it('starts anew from a damaged file and from one of another port base', async () => {
    await open().reserve(web)
    await open([], new ManualClock(), 30_000).reserve(web)
    expect(readFileSync(file, 'utf8')).not.toContain('2000')
    writeFileSync(file, '{"owners": {"default/w')
    expect(open().address('default/web', 'outbound').port).toBe(20_001)
  })

  it('says so when no port is left', () => {
    const ports = open([], new ManualClock(), 65_534)
    ports.address('default/web', 'outbound')
    expect(() => ports.address('default/web', 'admin')).toThrow(PortsExhaustedError)
  })
})
