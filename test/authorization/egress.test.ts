// Policies of ExternalServices, enforced by the caller's own proxy: what they ask of the caller is answered beforehand, and the verdict is the
// reference's, which sees the caller's certificate.
import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import type { AuthorizationRecord } from '../../src/contracts/decision-record.ts'
import { VirtualHostSchema } from '../../src/contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { createAuthorizer } from '../../src/policies/authorization/authorization.runtime.ts'
import { asksAboutCaller } from '../../src/policies/authorization/condition-expression.schema.ts'
import {
  allowsEverything,
  decodeEgress,
  decodeEgressConnections,
  egressFilters,
  encodeEgress,
  encodeEgressConnections,
} from '../../src/policies/authorization/egress.xds.ts'
import { overTheWire } from '../kit/over-the-wire.ts'
import { arbitrarySituation } from './arbitrary-authorization.ts'
import type { AuthorizationCase } from './authorization-case.ts'
import { authorizationCases } from './cases.ts'
import { applied, filteredRequest, peerFacts } from './engine.ts'
import { evaluateByReference } from './reference.ts'

type Situation = Pick<AuthorizationCase, 'policies' | 'request' | 'settings'>

const long = process.env['HEDDLE_LONG'] === '1'
const timeout = long ? 3_600_000 : 60_000
const caller = 'spiffe://mesh.local/ns/default/sa/web'

/** At that proxy nobody shows a certificate. */
function atOwnProxy({ policies, request, settings }: Situation): AuthorizationRecord {
  const { port, protocol } = request
  const place = { port, protocol, trustDomains: settings.trustDomains, caller: request.principal ?? caller }
  const filters = egressFilters(policies.map(applied), place)
  const tcp = protocol === 'tcp'
  const typedPerFilterConfig = tcp ? encodeEgressConnections(filters) : encodeEgress(filters)
  const wire = overTheWire(VirtualHostSchema, { typedPerFilterConfig }).typedPerFilterConfig
  const authorizer = createAuthorizer((tcp ? decodeEgressConnections(wire) : decodeEgress(wire)) ?? [])
  const { principal: _, ...anonymous } = request
  return tcp ? authorizer.authorizeConnection(peerFacts(anonymous)) : authorizer.authorize(filteredRequest(anonymous))
}

function byReference({ policies, request, settings }: Situation): AuthorizationCase['expect'] {
  return evaluateByReference(
    policies.map((policy) => ({ ...policy, spec: applied(policy).spec })),
    { ...request, principal: request.principal ?? caller },
    { ...settings, default: 'ALLOW' },
  )
}

/** Others are refused when they are written for an ExternalService. */
function isEgress({ policies }: Pick<Situation, 'policies'>): boolean {
  const conditions = policies.flatMap((policy) => (applied(policy).spec.rules ?? []).map(({ condition }) => condition))
  return !conditions.some((condition) => condition !== undefined && asksAboutCaller(condition))
}

const egressSituation = arbitrarySituation.filter(isEgress)

it.each(authorizationCases.filter(isEgress).map((one) => [one.name, one] as const))('%s', (_name, one) => {
  expect(atOwnProxy(one)).toMatchObject({ policy: undefined, ...byReference(one) })
})

it('says the same as the reference', { timeout }, () => {
  fc.assert(
    fc.property(egressSituation, (situation) => {
      expect(atOwnProxy(situation)).toMatchObject({ policy: undefined, ...byReference(situation) })
    }),
    { numRuns: long ? 100_000 : 500 },
  )
})

it('sends copies only where every request would pass', { timeout }, () => {
  fc.assert(
    fc.property(egressSituation, ({ policies, request, settings }) => {
      const place = { port: request.port, protocol: 'http', trustDomains: settings.trustDomains, caller } as const
      if (!allowsEverything(egressFilters(policies.map(applied), place))) return
      const asked = { ...request, principal: caller, protocol: 'http' } as const
      expect(byReference({ policies, request: asked, settings }).allowed).toBe(true)
    }),
    { numRuns: long ? 20_000 : 500 },
  )
})
