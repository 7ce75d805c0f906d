// Both ends of delta xDS without a network, every message delivered when chance says so: whatever happens, they end up agreeing.
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '../src/contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DeltaDiscoveryRequest } from '../src/contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../src/contracts/xds/names.ts'
import type { TypeUrl } from '../src/contracts/xds/names.ts'
import { decodeDeltaRequest } from '../src/control/xds-server/discovery-request.ts'
import { DiscoveryStream } from '../src/control/xds-server/discovery-stream.ts'
import { silentLogger } from '../src/core/logger.ts'
import { ResourceState } from '../src/proxy/xds-client/resource-state.ts'
import type { RejectedResource, ResourceUpdate } from '../src/proxy/xds-client/resource-update.ts'
import { ManualClock } from './kit/manual-clock.ts'
import { memoryView } from './kit/memory-view.ts'

const types = Object.values(typeUrls)
const names = ['a', 'b', 'c', 'd']

/** A client that holds what it was sent but for bodies that start with "bad", and a server, with a wire between them that can be cut. */
class World {
  readonly #states = new Map(
    types.map((typeUrl) => [typeUrl, new ResourceState(typeUrl, typeUrl === typeUrls.listener)]),
  )
  readonly wanted = new Map<TypeUrl, readonly string[]>()
  readonly held = new Map<string, string>()
  readonly content = new Map<string, string>()
  #revision = 0
  #view = memoryView(0, {})
  #stream: DiscoveryStream | undefined
  #begun = new Set<ResourceState>()
  #toServer: Uint8Array[] = []
  #toClient: Uint8Array[] = []

  change(typeUrl: TypeUrl, name: string, body: string | undefined): void {
    if (body === undefined) this.content.delete(`${typeUrl} ${name}`)
    else this.content.set(`${typeUrl} ${name}`, body)
    const resources: Record<string, Record<string, string>> = {}
    for (const [key, value] of this.content) {
      const [type, resource] = key.split(' ') as [string, string]
      ;(resources[type] ??= {})[resource] = value
    }
    this.#view = memoryView(++this.#revision, resources)
    this.#stream?.advance()
  }

  subscribe(typeUrl: TypeUrl, wanted: readonly string[]): void {
    const state = this.#states.get(typeUrl) as ResourceState
    this.wanted.set(typeUrl, wanted)
    for (const name of names) if (!wanted.includes(name)) this.held.delete(`${typeUrl} ${name}`)
    const request = state.want(wanted)
    if (request === undefined) return
    if (this.#begun.has(state)) this.#write(request)
    else this.#begin(state)
  }

  reconnect(): void {
    this.#toServer = []
    this.#toClient = []
    const inbox = this.#toClient
    this.#stream = new DiscoveryStream({
      protocol: 'delta',
      node: { id: 'n', kind: 'other', namespace: '', name: 'n' },
      view: () => this.#view,
      send: (bytes) => inbox.push(bytes),
      clock: new ManualClock(),
      logger: silentLogger,
    })
    this.#begun = new Set()
    for (const state of this.#states.values()) this.#begin(state)
  }

  deliverToServer(): boolean {
    const bytes = this.#toServer.shift()
    if (bytes === undefined) return false
    expect(this.#stream?.request(decodeDeltaRequest(bytes))).toBeUndefined()
    return true
  }

  deliverToClient(): boolean {
    const bytes = this.#toClient.shift()
    if (bytes === undefined) return false
    expect(this.#toClient.length).toBeLessThan(types.length)
    const response = fromBinary(DeltaDiscoveryResponseSchema, bytes)
    const state = this.#states.get(response.typeUrl as TypeUrl) as ResourceState
    this.#write(state.respond(response, (update) => this.#apply(update)).request)
    return true
  }

  status(): string[] {
    return this.#stream?.status().map(({ state }) => state) ?? []
  }

  #begin(state: ResourceState): void {
    const request = this.#stream === undefined ? undefined : state.resume()
    if (request === undefined) return
    this.#begun.add(state)
    this.#write(request)
  }

  #write(request: DeltaDiscoveryRequest): void {
    this.#toServer.push(toBinary(DeltaDiscoveryRequestSchema, request))
  }

  #apply({ typeUrl, changed, removed }: ResourceUpdate): RejectedResource[] {
    const rejected: RejectedResource[] = []
    for (const { name, body } of changed) {
      const text = Buffer.from(body).toString()
      if (text.startsWith('bad')) rejected.push({ name, reason: 'bad' })
      else this.held.set(`${typeUrl} ${name}`, text)
    }
    for (const name of removed) this.held.delete(`${typeUrl} ${name}`)
    return rejected
  }
}

const type = fc.constantFrom(...types)
const step = fc.oneof(
  fc.record({
    do: fc.constant('change' as const),
    type,
    name: fc.constantFrom(...names),
    body: fc.option(fc.constantFrom('1', '2', 'bad1', 'bad2'), { nil: undefined }),
  }),
  fc.record({
    do: fc.constant('subscribe' as const),
    type: type.filter((one) => one !== typeUrls.listener),
    wanted: fc.subarray(names),
  }),
  fc.constant({ do: 'to-server' as const }),
  fc.constant({ do: 'to-server' as const }),
  fc.constant({ do: 'to-client' as const }),
  fc.constant({ do: 'to-client' as const }),
  fc.constant({ do: 'reconnect' as const }),
)

it('ends with what the server offers, whatever the order of changes, subscriptions, rejections and lost connections', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.boolean(), (steps, repair) => {
      const world = new World()
      world.reconnect()
      for (const one of steps) {
        if (one.do === 'change') world.change(one.type, one.name, one.body)
        else if (one.do === 'subscribe') world.subscribe(one.type, one.wanted)
        else if (one.do === 'to-server') world.deliverToServer()
        else if (one.do === 'to-client') world.deliverToClient()
        else world.reconnect()
      }
      if (repair) {
        for (const [key, body] of world.content) {
          const [typeUrl, name] = key.split(' ') as [TypeUrl, string]
          if (body.startsWith('bad')) world.change(typeUrl, name, 'repaired')
        }
      }
      let messages = 0
      while (world.deliverToServer() || world.deliverToClient()) expect(++messages).toBeLessThan(500)

      const unusable = [...world.content].filter(([key, body]) => body.startsWith('bad') && wants(world, key))
      for (const typeUrl of types) {
        for (const name of names) {
          const key = `${typeUrl} ${name}`
          const offered = wants(world, key) ? world.content.get(key) : undefined
          // while something is rejected nothing is taken away, and of what is rejected the client keeps what it had
          if (offered?.startsWith('bad') || (offered === undefined && unusable.length > 0)) continue
          expect(world.held.get(key), key).toBe(offered)
        }
      }
      if (unusable.length === 0) expect(new Set(world.status())).toEqual(new Set(['synced']))
    }),
    { numRuns: 400 },
  )
}, 30_000)

function wants(world: World, key: string): boolean {
  const [typeUrl, name] = key.split(' ') as [TypeUrl, string]
  return typeUrl === typeUrls.listener || (world.wanted.get(typeUrl) ?? []).includes(name)
}
