import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { egressFilters as arbitraryFilters } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { VirtualHostSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { AppliedPolicy, AuthorizationPolicySpec, AuthorizationRule } from './authorization.spec.ts'
import {
  decodeEgress,
  decodeEgressConnections,
  egressFilters,
  encodeEgress,
  encodeEgressConnections,
} from './egress.xds.ts'

const place = {
  port: 443,
  protocol: 'http',
  trustDomains: ['mesh.local'],
  caller: 'spiffe://mesh.local/ns/shop/sa/web',
} as const
const any = { kind: 'any' }
const never = { kind: 'not', rule: any }

function policy(spec: Partial<AuthorizationPolicySpec>, name = 'api'): AppliedPolicy {
  const document = `AuthorizationPolicy/shop/${name}`
  const at = (line: number) => ({ document, file: 'mesh.yaml', line, column: 5 })
  return {
    name: document,
    namespace: 'shop',
    source: at(1),
    ruleSources: (spec.rules ?? []).map((_, index) => at(7 + index)),
    spec: { action: 'ALLOW', dryRun: false, reauthorize: false, ...spec },
  }
}

function of(source: Record<string, readonly string[]>): AuthorizationRule {
  return { from: [{ source }] }
}

describe('policies of what stands outside, at the proxy of one caller', () => {
  it.each([
    ['principals', ['mesh.local/ns/shop/sa/web']],
    ['principals', ['spiffe://mesh.local/ns/shop/*']],
    ['principals', ['*/sa/web']],
    ['principals', ['*']],
    ['namespaces', ['shop']],
    ['namespaces', ['sh*']],
    ['serviceAccounts', ['web']],
    ['serviceAccounts', ['other', 'shop/web']],
    ['notPrincipals', ['mesh.local/ns/shop/sa/other']],
    ['notNamespaces', ['elsewhere']],
  ])('ask nothing any more of a caller that %s %j names', (field, values) => {
    const [filter] = egressFilters([policy({ rules: [of({ [field]: values })] })], place)
    expect(filter?.enforced?.policies.map(({ principals }) => principals)).toEqual([[any]])
  })

  it.each([
    ['principals', ['mesh.local/ns/shop/sa/web2', 'other.local/ns/shop/sa/web']],
    ['namespaces', ['shops', '*hop2']],
    ['serviceAccounts', ['we', 'default/web']],
    ['notNamespaces', ['shop']],
  ])('are for others where %s %j does not name it', (field, values) => {
    const [filter] = egressFilters([policy({ action: 'DENY', rules: [of({ [field]: values })] })], place)
    expect(filter?.enforced?.policies).toEqual([])
  })

  it('keep the name of a policy that allows others, for the refusal to say', () => {
    const [filter] = egressFilters(
      [policy({ rules: [of({ serviceAccounts: ['a'] }), of({ serviceAccounts: ['b'] })] })],
      place,
    )
    expect(filter?.enforced).toMatchObject({
      action: 'ALLOW',
      policies: [{ name: 'AuthorizationPolicy/shop/api/0', source: { line: 7 }, principals: [never] }],
    })
    const [empty] = egressFilters([policy({})], place)
    expect(empty?.enforced?.policies).toMatchObject([{ source: { line: 1 }, principals: [never] }])
  })

  it('still ask what is not known beforehand', () => {
    const rule = of({ serviceAccounts: ['web'], ipBlocks: ['10.0.0.0/8'] })
    const [filter] = egressFilters([policy({ rules: [rule] })], place)
    expect(filter?.enforced?.policies[0]?.principals).toEqual([
      { kind: 'directRemoteIp', block: { address: '10.0.0.0', prefixLength: 8 } },
    ])
  })

  it('never fall back to the default of the mesh', () => {
    expect(
      egressFilters([policy({ action: 'DENY', rules: [{}] })], place).map(({ enforced }) => enforced?.action),
    ).toEqual(['DENY'])
  })

  it('are the same on the other side of the wire', () => {
    fc.assert(
      fc.property(arbitraryFilters, (filters) => {
        const typedPerFilterConfig = { ...encodeEgress(filters), ...encodeEgressConnections(filters) }
        const wire = overTheWire(VirtualHostSchema, { typedPerFilterConfig }).typedPerFilterConfig
        expect(decodeEgress(wire)).toEqual(filters)
        expect(decodeEgressConnections(wire)).toEqual(filters)
      }),
    )
  })

  it('are nothing where nothing is said', () => {
    expect(egressFilters([], place)).toEqual([])
    expect(decodeEgress({})).toBeUndefined()
    expect(decodeEgressConnections({})).toBeUndefined()
  })
})
