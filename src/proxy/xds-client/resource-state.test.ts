import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'

import { DeltaDiscoveryResponseSchema } from '../../contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DeltaDiscoveryResponse } from '../../contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../../contracts/xds/names.ts'
import { ResourceState } from './resource-state.ts'
import type { ResourceUpdate } from './resource-update.ts'

const { cluster, listener } = typeUrls

function response(
  resources: Record<string, string>,
  removed: string[] = [],
  typeUrl: string = cluster,
): DeltaDiscoveryResponse {
  return create(DeltaDiscoveryResponseSchema, {
    systemVersionInfo: '7',
    nonce: 'n1',
    typeUrl: cluster,
    removedResources: removed,
    resources: Object.entries(resources).map(([name, version]) => ({
      name,
      version,
      resource: { typeUrl, value: Buffer.from(version) },
    })),
  })
}

describe('what a proxy wants and has of one type', () => {
  it('asks only for the difference', () => {
    const state = new ResourceState(cluster, false)
    expect(state.want(['a', 'b'])?.resourceNamesSubscribe).toEqual(['a', 'b'])
    const request = state.want(['b', 'c'])
    expect(request?.resourceNamesSubscribe).toEqual(['c'])
    expect(request?.resourceNamesUnsubscribe).toEqual(['a'])
    expect(state.want(['c', 'b'])).toBeUndefined()
  })

  it('resumes with the versions in force, without what was given up, removed or rejected', () => {
    const state = new ResourceState(cluster, false)
    state.want(['kept', 'given-up', 'removed', 'rejected', 'stale'])
    state.respond(response({ kept: 'k1', 'given-up': 'g1', removed: 'r1', stale: 's1' }), () => [])
    state.respond(response({ rejected: 'x1', stale: 's2' }, ['removed']), () => [
      { name: 'rejected', reason: 'no' },
      { name: 'stale', reason: 'no' },
    ])
    state.want(['kept', 'removed', 'rejected', 'stale'])
    expect(state.resume()).toMatchObject({
      resourceNamesSubscribe: ['kept', 'removed', 'rejected', 'stale'],
      initialResourceVersions: { kept: 'k1', stale: 's1' },
    })
  })

  it('begins with the wildcard that every server knows, and with none when nothing is wanted', () => {
    expect(new ResourceState(listener, true).resume()).toMatchObject({ resourceNamesSubscribe: [] })
    expect(new ResourceState(cluster, false).resume()).toBeUndefined()
  })

  it('acknowledges, or names what it rejects and why', () => {
    const state = new ResourceState(cluster, false)
    state.want(['a', 'b'])
    const acknowledgement = state.respond(response({ a: '1' }), () => []).request
    expect(acknowledgement.responseNonce).toBe('n1')
    expect(acknowledgement.errorDetail).toBeUndefined()
    const { request } = state.respond(response({ a: '2', b: '1' }), () => [
      { name: 'a', reason: 'no endpoints' },
      { name: 'b', reason: 'too old' },
    ])
    expect(request).toMatchObject({
      responseNonce: 'n1',
      errorDetail: { code: 3, message: 'a: no endpoints; b: too old' },
    })
  })

  it('passes on only what is still wanted', () => {
    const state = new ResourceState(cluster, false)
    state.want(['a'])
    const updates: ResourceUpdate[] = []
    state.respond(response({ a: '1', late: '1' }, ['other', 'a']), (update) => {
      updates.push(update)
      return []
    })
    expect(updates).toMatchObject([
      { typeUrl: cluster, revision: '7', changed: [{ name: 'a', version: '1' }], removed: ['a'] },
    ])
    state.respond(response({ late: '2' }), () => expect.unreachable('nothing to apply'))
  })

  it('rejects a resource of another type than its response', () => {
    const state = new ResourceState(cluster, false)
    state.want(['a'])
    const { request } = state.respond(response({ a: '1' }, [], listener), () => expect.unreachable('nothing to apply'))
    expect(request.errorDetail?.message).toBe(`a: expected a resource of type ${cluster}, got ${listener}`)
  })

  it('keeps what is being applied out of the versions when applying gives it up', () => {
    const state = new ResourceState(cluster, false)
    state.want(['a', 'b'])
    state.respond(response({ a: '1', b: '1' }), () => {
      state.want(['b'])
      return []
    })
    state.want(['a', 'b'])
    expect(state.resume()?.initialResourceVersions).toEqual({ b: '1' })
  })
})
