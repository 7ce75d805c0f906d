import { fromBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { memoryView } from '../../../test/kit/memory-view.ts'
import type { MemoryResources } from '../../../test/kit/memory-view.ts'
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
} from '../../contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../../contracts/xds/names.ts'
import { silentLogger } from '../../core/logger.ts'
import type { DeltaRequest, StateRequest, XdsProtocol } from './discovery-request.ts'
import { DiscoveryStream } from './discovery-stream.ts'

const { cluster, clusterLoadAssignment, listener, routeConfiguration, secret } = typeUrls
const node = { id: 'envoy-1', kind: 'other', namespace: '', name: 'envoy-1' } as const
const shortNames: Record<string, string> = {
  [cluster]: 'CDS',
  [clusterLoadAssignment]: 'EDS',
  [listener]: 'LDS',
  [routeConfiguration]: 'RDS',
  [secret]: 'SDS',
}

interface Received {
  readonly typeUrl: string
  readonly nonce: string
  /** "CDS 1: a=a1 b=b1 -c": type, revision, resources, removals. */
  readonly text: string
}

class Harness {
  readonly stream: DiscoveryStream
  readonly protocol: XdsProtocol
  /** Sent by the stream and not yet looked at. */
  readonly inbox: Received[] = []
  #view = memoryView(0, {})

  constructor(protocol: XdsProtocol, resources: MemoryResources) {
    this.protocol = protocol
    this.#view = memoryView(1, resources)
    this.stream = new DiscoveryStream({
      protocol,
      node,
      view: () => this.#view,
      send: (bytes) => this.inbox.push(protocol === 'delta' ? readDelta(bytes) : readState(bytes)),
      clock: new ManualClock(),
      logger: silentLogger,
    })
  }

  setView(revision: number, resources: MemoryResources): void {
    this.#view = memoryView(revision, resources)
    this.stream.advance()
  }

  delta(typeUrl: string, fields: Partial<DeltaRequest> = {}): string | undefined {
    return this.stream.request({
      protocol: 'delta',
      typeUrl,
      node: undefined,
      nonce: '',
      error: undefined,
      subscribe: [],
      unsubscribe: [],
      initialVersions: {},
      ...fields,
    })
  }

  state(typeUrl: string, names: readonly string[], fields: Partial<StateRequest> = {}): string | undefined {
    return this.stream.request({
      protocol: 'state-of-the-world',
      typeUrl,
      node: undefined,
      nonce: '',
      error: undefined,
      names,
      ...fields,
    })
  }

  /** The one message that has arrived. */
  one(): Received {
    expect(this.inbox.map(({ text }) => text)).toHaveLength(1)
    return this.inbox.shift() as Received
  }

  texts(): string[] {
    return this.inbox.map(({ text }) => text)
  }

  ack(received: Received, names: readonly string[] = []): void {
    if (this.protocol === 'delta') this.delta(received.typeUrl, { nonce: received.nonce })
    else this.state(received.typeUrl, names, { nonce: received.nonce })
  }

  /** Acknowledges until nothing more comes; what came, in order. */
  settle(names: Record<string, readonly string[]> = {}): string[] {
    const seen: string[] = []
    for (let next = this.inbox.shift(); next !== undefined; next = this.inbox.shift()) {
      seen.push(next.text)
      this.ack(next, names[next.typeUrl])
    }
    return seen
  }
}

function readDelta(bytes: Uint8Array): Received {
  const message = fromBinary(DeltaDiscoveryResponseSchema, bytes)
  const resources = message.resources.map(({ name, resource }) => {
    expect(resource?.typeUrl).toBe(message.typeUrl)
    return `${name}=${Buffer.from(resource?.value ?? []).toString()}`
  })
  const parts = [...resources, ...message.removedResources.map((name) => `-${name}`)]
  return summary(message.typeUrl, message.nonce, message.systemVersionInfo, parts)
}

function readState(bytes: Uint8Array): Received {
  const message = fromBinary(DiscoveryResponseSchema, bytes)
  const parts = message.resources.map((resource) => {
    expect(resource.typeUrl).toBe(message.typeUrl)
    return Buffer.from(resource.value).toString()
  })
  return summary(message.typeUrl, message.nonce, message.versionInfo, parts)
}

function summary(typeUrl: string, nonce: string, revision: string, parts: readonly string[]): Received {
  return { typeUrl, nonce, text: [`${shortNames[typeUrl] ?? typeUrl} ${revision}:`, ...parts].join(' ') }
}

const whole = (version: number): MemoryResources => ({
  [cluster]: { [`c${version}`]: `C${version}`, shared: `S${version}` },
  [clusterLoadAssignment]: { [`c${version}`]: `E${version}` },
  [listener]: { l: `L${version}` },
  [routeConfiguration]: { r: `R${version}` },
})

describe.each(['delta', 'state-of-the-world'] as const)('secrets by %s', (protocol) => {
  it('are sent by name, before the listeners that show them, and again when they change', () => {
    const resources = (version: number) => ({
      [secret]: { s: `s${version}`, unasked: 'x' },
      [listener]: { l: `l${version}` },
    })
    const h = new Harness(protocol, resources(1))
    const names = { [secret]: ['s'] }
    if (protocol === 'delta') {
      h.delta(listener)
      h.delta(secret, { subscribe: ['s'] })
    } else {
      h.state(listener, [])
      h.state(secret, ['s'])
    }
    const [s, l] = protocol === 'delta' ? ['s=s', 'l=l'] : ['s', 'l']
    expect(h.settle(names).toSorted()).toEqual([`LDS 1: ${l}1`, `SDS 1: ${s}1`])
    h.setView(2, resources(2))
    expect(h.settle(names)).toEqual([`SDS 2: ${s}2`, `LDS 2: ${l}2`])
  })
})

describe('delta', () => {
  it('answers a first request without names with everything, and says so when there is nothing', () => {
    const h = new Harness('delta', { [listener]: { a: 'a1', b: 'b1' } })
    h.delta(listener)
    h.delta(cluster)
    expect(h.texts()).toEqual(['LDS 1: a=a1 b=b1', 'CDS 1:'])
  })

  it('sends what is named, and tells which names do not exist', () => {
    const h = new Harness('delta', { [cluster]: { a: 'a1', b: 'b1' } })
    h.delta(cluster, { subscribe: ['a', 'x'] })
    h.ack(h.one())
    h.setView(2, { [cluster]: { a: 'a1', b: 'b2', x: 'x2' } })
    expect(h.settle()).toEqual(['CDS 2: x=x2'])
  })

  it('keeps one response unacknowledged at a time and then sends the newest', () => {
    const h = new Harness('delta', { [cluster]: { a: 'a1' } })
    h.delta(cluster)
    const first = h.one()
    for (let revision = 2; revision <= 50; revision++) h.setView(revision, { [cluster]: { a: `a${revision}` } })
    expect(h.texts()).toEqual([])
    h.ack(first)
    expect(h.settle()).toEqual(['CDS 50: a=a50'])
  })

  it('does not take an old nonce for an acknowledgement, but follows the subscriptions that come with it', () => {
    const h = new Harness('delta', { [cluster]: { a: 'a1', b: 'b1' } })
    h.delta(cluster, { subscribe: ['a'] })
    const first = h.one()
    h.ack(first)
    h.setView(2, { [cluster]: { a: 'a2', b: 'b1' } })
    const second = h.one()
    h.delta(cluster, { nonce: first.nonce, subscribe: ['b'] })
    h.setView(3, { [cluster]: { a: 'a3', b: 'b1' } })
    expect(h.texts()).toEqual([])
    h.ack(second)
    expect(h.settle()).toEqual(['CDS 3: a=a3 b=b1'])
  })

  it('does not send a rejected version again, but the next one', () => {
    const h = new Harness('delta', { [listener]: { a: 'a1', b: 'b1' } })
    h.delta(listener)
    const { nonce } = h.one()
    h.delta(listener, { nonce, error: 'a: port taken' })
    expect(h.texts()).toEqual([])
    expect(h.stream.status()).toMatchObject([
      {
        state: 'rejected',
        ackedRevision: undefined,
        lastNack: { revision: '1', message: 'a: port taken', resources: ['a'] },
      },
    ])
    h.setView(2, { [listener]: { a: 'a2', b: 'b1' } })
    expect(h.settle()).toEqual(['LDS 2: a=a2'])
    expect(h.stream.status()).toMatchObject([{ state: 'synced', ackedRevision: '2' }])
  })

  it('sends a resource again when it is subscribed to again', () => {
    const h = new Harness('delta', { [cluster]: { a: 'a1' } })
    h.delta(cluster, { subscribe: ['a'] })
    h.settle()
    h.delta(cluster, { subscribe: ['a'] })
    expect(h.settle()).toEqual(['CDS 1: a=a1'])
    h.delta(cluster, { unsubscribe: ['a'] })
    h.setView(2, { [cluster]: { a: 'a2' } })
    expect(h.settle()).toEqual([])
    h.delta(cluster, { subscribe: ['a'] })
    expect(h.settle()).toEqual(['CDS 2: a=a2'])
  })

  it('tells what becomes of a name given up while the wildcard stays', () => {
    const h = new Harness('delta', { [cluster]: { a: 'a1' } })
    h.delta(cluster, { subscribe: ['*', 'a', 'gone'] })
    expect(h.settle()).toEqual(['CDS 1: a=a1 -gone'])
    h.delta(cluster, { unsubscribe: ['a', 'gone'] })
    expect(h.settle()).toEqual(['CDS 1: a=a1 -gone'])
    h.delta(cluster, { unsubscribe: ['*'] })
    h.setView(2, { [cluster]: { a: 'a2' } })
    expect(h.settle()).toEqual([])
  })

  it('resumes from the versions that the client brings', () => {
    const { version } = memoryView(1, { [cluster]: { a: 'a1' } }).get(cluster, 'a', node) ?? { version: '' }
    const h = new Harness('delta', { [cluster]: { a: 'a1', b: 'b1' } })
    h.delta(cluster, {
      subscribe: ['a', 'b', 'gone', 'new'],
      initialVersions: { a: version, b: 'old', gone: 'g', alien: 'z' },
    })
    expect(h.settle()).toEqual(['CDS 1: b=b1 -new', 'CDS 1: -gone'])
  })

  it('refuses what breaks the protocol', () => {
    const h = new Harness('delta', {})
    expect(h.delta('')).toBe('type_url is empty')
    for (let i = 0; i < 32; i++) expect(h.delta(`type-${i}`)).toBeUndefined()
    expect(h.delta('one-more')).toBe('more than 32 resource types')
    const many = Array.from({ length: 100_001 }, (_, i) => `n${i}`)
    expect(h.delta('type-0', { subscribe: many })).toBe('more than 100000 names')
  })

  it('answers for a type that it does not know: there is no such resource', () => {
    const h = new Harness('delta', {})
    h.delta('type.googleapis.com/envoy.Unheard', { subscribe: ['x'] })
    expect(h.texts()).toEqual(['type.googleapis.com/envoy.Unheard 1: -x'])
  })
})

describe('state of the world', () => {
  it('sends everything of a type whenever some of it changes', () => {
    const h = new Harness('state-of-the-world', { [cluster]: { a: 'a1', b: 'b1' } })
    h.state(cluster, [])
    h.ack(h.one())
    h.setView(2, { [cluster]: { a: 'a1', b: 'b2' } })
    expect(h.settle()).toEqual(['CDS 2: a1 b2'])
    h.setView(3, { [cluster]: { a: 'a1', b: 'b2' } })
    expect(h.settle()).toEqual([])
  })

  it('takes the newer of two lists that both come without a nonce', () => {
    const h = new Harness('state-of-the-world', { [cluster]: { a: 'a1', b: 'b1' } })
    h.state(cluster, ['a'])
    h.state(cluster, ['a', 'b'])
    expect(h.settle({ [cluster]: ['a', 'b'] })).toEqual(['CDS 1: a1', 'CDS 1: a1 b1'])
  })

  it('ignores a request with an old nonce altogether', () => {
    const h = new Harness('state-of-the-world', { [cluster]: { a: 'a1', b: 'b1' } })
    h.state(cluster, ['a'])
    const first = h.one()
    h.ack(first, ['a'])
    h.setView(2, { [cluster]: { a: 'a2', b: 'b1' } })
    const second = h.one()
    h.state(cluster, ['b'], { nonce: first.nonce })
    expect(h.texts()).toEqual([])
    h.ack(second, ['a', 'b'])
    expect(h.settle({ [cluster]: ['a', 'b'] })).toEqual(['CDS 2: a2 b1'])
  })

  it('takes an empty list after a name for no subscription, and a name for the end of the wildcard', () => {
    const h = new Harness('state-of-the-world', { [cluster]: { a: 'a1', b: 'b1' } })
    h.state(cluster, [])
    h.ack(h.one(), ['a'])
    expect(h.settle({ [cluster]: ['a'] })).toEqual(['CDS 1: a1'])
    h.setView(2, { [cluster]: { a: 'a1', b: 'b2' } })
    expect(h.texts()).toEqual([])
    h.setView(3, { [cluster]: { a: 'a3', b: 'b2' } })
    h.ack(h.one(), [])
    h.setView(4, { [cluster]: { a: 'a4', b: 'b4' } })
    expect(h.texts()).toEqual([])
    expect(h.stream.status()).toMatchObject([{ subscribed: 0 }])
  })

  it('keeps a removed cluster until nothing uses it, then leaves it out', () => {
    const h = new Harness('state-of-the-world', whole(1))
    for (const typeUrl of [cluster, listener]) h.state(typeUrl, [])
    const names = { [clusterLoadAssignment]: ['c1', 'c2'], [routeConfiguration]: ['r'] }
    h.state(clusterLoadAssignment, names[clusterLoadAssignment] ?? [])
    h.state(routeConfiguration, ['r'])
    h.settle(names)
    h.setView(2, whole(2))
    expect(h.settle(names)).toEqual(['CDS 2: C2 S2 C1', 'EDS 2: E2', 'LDS 2: L2', 'RDS 2: R2', 'CDS 2: C2 S2'])
  })
})

describe('order', () => {
  it('sends what is used before its users, waiting for each acknowledgement, and removes the other way', () => {
    const h = new Harness('delta', whole(1))
    for (const typeUrl of Object.values(typeUrls)) h.delta(typeUrl, { subscribe: ['*'] })
    h.settle()
    h.setView(2, whole(2))
    const steps: string[] = []
    for (let next = h.inbox.shift(); next !== undefined; next = h.inbox.shift()) {
      expect(h.inbox, 'nothing else is on its way').toEqual([])
      steps.push(next.text)
      h.ack(next)
    }
    expect(steps).toEqual([
      'CDS 2: c2=C2 shared=S2',
      'EDS 2: c2=E2',
      'LDS 2: l=L2',
      'RDS 2: r=R2',
      'CDS 2: -c1',
      'EDS 2: -c1',
    ])
  })

  it('starts again with the newest view when it changes between two steps', () => {
    const h = new Harness('delta', whole(1))
    for (const typeUrl of Object.values(typeUrls)) h.delta(typeUrl, { subscribe: ['*'] })
    h.settle()
    h.setView(2, whole(2))
    const cds = h.one()
    h.setView(3, whole(3))
    h.ack(cds)
    expect(h.settle()).toEqual([
      'CDS 3: c3=C3 shared=S3',
      'EDS 3: c3=E3',
      'LDS 3: l=L3',
      'RDS 3: r=R3',
      'CDS 3: -c1 -c2',
      'EDS 3: -c1',
    ])
  })

  it('answers what is asked for anew while another type waits', () => {
    const h = new Harness('delta', whole(1))
    h.delta(cluster)
    h.delta(clusterLoadAssignment, { subscribe: ['c1'] })
    expect(h.texts()).toEqual(['CDS 1: c1=C1 shared=S1', 'EDS 1: c1=E1'])
  })

  it('takes nothing from a client that rejects something, until that is resolved', () => {
    const h = new Harness('delta', whole(1))
    for (const typeUrl of [cluster, routeConfiguration]) h.delta(typeUrl, { subscribe: ['*'] })
    h.settle()
    h.setView(2, whole(2))
    h.ack(h.one())
    const routes = h.one()
    h.delta(routeConfiguration, { nonce: routes.nonce, error: 'r: unknown filter' })
    expect(h.texts(), 'its old routes still use c1').toEqual([])
    h.setView(3, { ...whole(2), [routeConfiguration]: { r: 'R3' } })
    expect(h.settle()).toEqual(['RDS 3: r=R3', 'CDS 3: -c1'])
  })

  it('removes what was rejected', () => {
    const h = new Harness('delta', { [listener]: { good: 'g', bad: 'b' } })
    h.delta(listener)
    h.delta(listener, { nonce: h.one().nonce, error: 'bad: no' })
    h.setView(2, { [listener]: { good: 'g' } })
    expect(h.settle()).toEqual(['LDS 2: -bad'])
    expect(h.stream.status()).toMatchObject([{ state: 'synced' }])
  })
})
