import { describe, expect, it } from 'vitest'

import { clusterOf, configOf, listenerOn, listenerWith, tcpChain } from '../../../test/kit/request-line.ts'
import { unknownFacts } from '../detect/detector.ts'
import { ServiceChains } from './service-chains.ts'

const name = 'db.default.svc.cluster.local:5432'
const outbound = listenerOn(15_001, { kind: 'forward-proxy', searchDomains: [], allowAny: true })
const plain = { ...unknownFacts, transport: 'plaintext' } as const

function runtimeOf(carries: 'bytes' | 'undeclared' | undefined, ...more: ReturnType<typeof listenerWith>[]) {
  const cluster = clusterOf(name, [{ port: 1 }], carries === undefined ? {} : { carries })
  return configOf({ listeners: [outbound, ...more], clusters: [cluster] })
}

function chainsOf(...parts: Parameters<typeof runtimeOf>): ServiceChains {
  const chains = new ServiceChains()
  chains.update(runtimeOf(...parts))
  return chains
}

describe('chains of a service inside CONNECT', () => {
  it('are none where it carries HTTP alone, or is not known', () => {
    const chains = chainsOf(undefined)
    expect(chains.of(name)).toBeUndefined()
    expect(chains.of('other:1')).toBeUndefined()
  })

  it('look at nothing where bytes are declared', () => {
    const state = chainsOf('bytes').of(name)
    expect(state?.inspect).toMatchObject({ tls: false, http: false })
    expect(state?.chainFor(unknownFacts)?.filter).toMatchObject({
      kind: 'tcp',
      backends: [{ cluster: name, weight: 1 }],
    })
  })

  it('serve requests by the routes of the service where nothing is declared, and else carry bytes', () => {
    const state = chainsOf('undeclared').of(name)
    const http = state?.chainFor({ ...plain, applicationProtocols: ['http/1.1'] })?.filter
    expect(http).toMatchObject({ kind: 'http', routes: { kind: 'rds', name } })
    for (const facts of [plain, { ...plain, transport: 'tls' } as const])
      expect(state?.chainFor(facts)?.filter.kind).toBe('tcp')
  })

  it('ask who may come before bytes are carried, as the routes of the service say', () => {
    const authorization = [{ enforced: { action: 'DENY', policies: [] } }] as const
    const virtualHost = { name, domains: ['*'], routes: [], tunnelAuthorization: authorization }
    const chains = new ServiceChains()
    const config = runtimeOf('undeclared')
    chains.update({ ...config, routeConfigurations: new Map([[name, { name, virtualHosts: [virtualHost] }]]) })
    const state = chains.of(name)
    expect(state?.chainFor(plain)?.filter).toMatchObject({ kind: 'tcp', authorization })
    chains.update(config)
    expect(state?.chainFor(plain)?.filter).not.toHaveProperty('authorization')
  })

  it("are those of the service's own listener where there is one, always the newest", () => {
    const own = (cluster: string) => listenerWith(20_000, [tcpChain(cluster)], { name: `service|${name}` })
    const chains = chainsOf('bytes', own('first'))
    const state = chains.of(name)
    expect(state?.chainFor(plain)?.filter).toMatchObject({ backends: [{ cluster: 'first' }] })
    chains.update(runtimeOf('bytes', own('second')))
    expect(state?.chainFor(plain)?.filter).toMatchObject({ backends: [{ cluster: 'second' }] })
    expect(chains.of(name)).toBe(state)
    chains.update(runtimeOf(undefined))
    expect(chains.of(name)).toBeUndefined()
  })
})
