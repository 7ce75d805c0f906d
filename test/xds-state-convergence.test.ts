// State-of-the-world xDS against a model of the clients that speak it (Envoy, gRPC), messages delivered when chance says so: they end up agreeing.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import {
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '../src/contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../src/contracts/xds/names.ts'
import type { TypeUrl } from '../src/contracts/xds/names.ts'
import { decodeStateRequest } from '../src/control/xds-server/discovery-request.ts'
import { DiscoveryStream } from '../src/control/xds-server/discovery-stream.ts'
import { silentLogger } from '../src/core/logger.ts'
import { ManualClock } from './kit/manual-clock.ts'
import { memoryView } from './kit/memory-view.ts'

const types = Object.values(typeUrls)
const names = ['a', 'b', 'c']
/** Responses of these types delete what they leave out. */
const complete: readonly TypeUrl[] = [typeUrls.listener, typeUrls.cluster]

interface Mine {
  /** Undefined: the wildcard. */
  wanted: readonly string[] | undefined
  nonce: string
  readonly held: Map<string, string>
}

/** Bodies are "name=value", so that the client can tell what it got. */
class World {
  readonly mine = new Map<TypeUrl, Mine>()
  readonly content = new Map<TypeUrl, Map<string, string>>(types.map((typeUrl) => [typeUrl, new Map()]))
  #view = memoryView(0, {})
  #revision = 0
  readonly #toServer: Uint8Array[] = []
  readonly #toClient: Uint8Array[] = []
  readonly #stream = new DiscoveryStream({
    protocol: 'state-of-the-world',
    node: { id: 'n', kind: 'other', namespace: '', name: 'n' },
    view: () => this.#view,
    send: (bytes) => this.#toClient.push(bytes),
    clock: new ManualClock(),
    logger: silentLogger,
  })

  change(typeUrl: TypeUrl, name: string, value: string | undefined): void {
    if (value === undefined) this.content.get(typeUrl)?.delete(name)
    else this.content.get(typeUrl)?.set(name, `${name}=${value}`)
    const resources = [...this.content].map(([type, ofType]) => [type, Object.fromEntries(ofType)])
    this.#view = memoryView(++this.#revision, Object.fromEntries(resources))
    this.#stream.advance()
  }

  /** Once something is named, the wildcard is over. */
  want(typeUrl: TypeUrl, wanted: readonly string[] | undefined): void {
    const known = this.mine.get(typeUrl)
    if (known === undefined) {
      // an empty first list would mean the wildcard
      if (wanted?.length === 0) return
      this.mine.set(typeUrl, { wanted, nonce: '', held: new Map() })
    } else {
      if (wanted === undefined) return
      known.wanted = wanted
      for (const name of known.held.keys()) if (!wanted.includes(name)) known.held.delete(name)
    }
    this.#request(typeUrl)
  }

  deliverToServer(): boolean {
    const bytes = this.#toServer.shift()
    if (bytes === undefined) return false
    expect(this.#stream.request(decodeStateRequest(bytes))).toBeUndefined()
    return true
  }

  deliverToClient(): boolean {
    const bytes = this.#toClient.shift()
    if (bytes === undefined) return false
    const response = fromBinary(DiscoveryResponseSchema, bytes)
    const typeUrl = response.typeUrl as TypeUrl
    const mine = this.mine.get(typeUrl) as Mine
    if (complete.includes(typeUrl)) mine.held.clear()
    for (const { value } of response.resources) {
      const body = Buffer.from(value).toString()
      const name = body.charAt(0)
      if (mine.wanted === undefined || mine.wanted.includes(name)) mine.held.set(name, body)
    }
    mine.nonce = response.nonce
    this.#request(typeUrl)
    return true
  }

  #request(typeUrl: TypeUrl): void {
    const { wanted = [], nonce } = this.mine.get(typeUrl) as Mine
    const request = create(DiscoveryRequestSchema, { typeUrl, resourceNames: [...wanted], responseNonce: nonce })
    this.#toServer.push(toBinary(DiscoveryRequestSchema, request))
  }
}

const type = fc.constantFrom(...types)
const step = fc.oneof(
  fc.record({
    do: fc.constant('change' as const),
    type,
    name: fc.constantFrom(...names),
    value: fc.option(fc.constantFrom('1', '2'), { nil: undefined }),
  }),
  fc.record({
    do: fc.constant('want' as const),
    type,
    wanted: fc.option(fc.subarray(names), { nil: undefined, freq: 3 }),
  }),
  fc.constant({ do: 'to-server' as const }),
  fc.constant({ do: 'to-server' as const }),
  fc.constant({ do: 'to-client' as const }),
  fc.constant({ do: 'to-client' as const }),
)

it('ends with what the server offers, whatever the order of changes and subscriptions', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const world = new World()
      for (const one of steps) {
        if (one.do === 'change') world.change(one.type, one.name, one.value)
        else if (one.do === 'want') world.want(one.type, one.wanted)
        else if (one.do === 'to-server') world.deliverToServer()
        else world.deliverToClient()
      }
      let messages = 0
      while (world.deliverToServer() || world.deliverToClient()) expect(++messages).toBeLessThan(500)
      for (const [typeUrl, { wanted, held }] of world.mine) {
        const offered = [...(world.content.get(typeUrl) ?? [])].filter(([name]) => wanted?.includes(name) ?? true)
        // routes and endpoints are never deleted by a response: their users are
        const compared = complete.includes(typeUrl) ? held : new Map(offered.map(([name]) => [name, held.get(name)]))
        expect(Object.fromEntries(compared), typeUrl).toEqual(Object.fromEntries(offered))
      }
    }),
    { numRuns: 400 },
  )
}, 30_000)
