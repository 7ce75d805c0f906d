import { describe, expect, it } from 'vitest'

import { createSigner } from '../../../test/kit/trust-domains.ts'
import { certificatesToPem } from '../../contracts/identity/pem.ts'
import { formatProblem } from '../../contracts/problem.ts'
import { analyzeFiles } from '../../control/configuration.ts'

const pem = certificatesToPem([createSigner({ trustDomain: 'partner.example' }).der])
const url = 'https://partner.example/bundle'

function analyzed(federatesWith: readonly object[], more: object = {}, bundleEndpoint?: object) {
  const spec = { federation: { federatesWith, ...(bundleEndpoint && { bundleEndpoint }) }, ...more }
  const text = JSON.stringify({ apiVersion: 'heddle.dev/v1alpha1', kind: 'MeshConfig', metadata: { name: 'm' }, spec })
  return analyzeFiles([{ path: 'mesh.yaml', text, folder: '/etc/mesh' }])
}

function problems(federatesWith: readonly object[], more?: object, bundleEndpoint?: object): string {
  return analyzed(federatesWith, more, bundleEndpoint).problems.map(formatProblem).join('\n')
}

const web = { type: 'https_web' }
const spiffe = (endpointSPIFFEID: string) => ({ type: 'https_spiffe', endpointSPIFFEID })
const named = { trustDomain: 'partner.example' }

describe('federation in a MeshConfig', () => {
  it('is nothing unless something is said', () => {
    expect(analyzed([]).snapshot.settings.federation).toBeUndefined()
  })

  it('takes files from where the document lies', () => {
    const { federation } = analyzed([{ ...named, trustDomainBundleFile: 'p.json' }]).snapshot.settings
    expect(federation?.federatesWith[0]?.trustDomainBundleFile).toBe('/etc/mesh/p.json')
  })

  it.each([
    [[{ ...named, trustDomainBundle: pem }]],
    [[{ ...named, bundleEndpointURL: url, bundleEndpointProfile: web }]],
    [
      [
        {
          ...named,
          trustDomainBundleFile: 'a',
          bundleEndpointURL: url,
          bundleEndpointProfile: spiffe('spiffe://partner.example/server'),
        },
      ],
    ],
  ])('takes %j', (federatesWith) => {
    expect(problems(federatesWith)).toBe('')
  })

  it.each<readonly [object, RegExp]>([
    [{}, /the bundle is missing/],
    [{ trustDomainBundle: 'x' }, /no trust bundle: it is neither JSON nor PEM/],
    [{ trustDomainBundle: pem, trustDomainBundleFile: 'a' }, /given twice/],
    [{ trustDomainBundleFile: 'a', bundleEndpointProfile: web }, /"bundleEndpointURL" is missing/],
    [{ bundleEndpointURL: url }, /"bundleEndpointProfile" is missing/],
    [{ bundleEndpointURL: 'http://partner.example', bundleEndpointProfile: web }, /an https URL/],
    [{ bundleEndpointURL: 'https://u:p@partner.example', bundleEndpointProfile: web }, /an https URL/],
    [{ bundleEndpointURL: url, bundleEndpointProfile: { ...web, endpointSPIFFEID: 'x' } }, /endpointSPIFFEID/],
    [{ bundleEndpointURL: url, bundleEndpointProfile: { type: 'https_spiffe' } }, /endpointSPIFFEID/],
    [
      { bundleEndpointURL: url, bundleEndpointProfile: spiffe('spiffe://partner.example/a') },
      /to begin with is missing/,
    ],
    [
      { trustDomainBundle: pem, bundleEndpointURL: url, bundleEndpointProfile: spiffe('spiffe://partner.example') },
      /no path/,
    ],
    [
      { trustDomainBundle: pem, bundleEndpointURL: url, bundleEndpointProfile: spiffe('spiffe://a.example/a') },
      /not of trust domain/,
    ],
  ])('refuses %j', (one, why) => {
    expect(problems([{ ...named, ...one }])).toMatch(why)
  })

  it('refuses names that are its own, or occur twice, and hints that are too short', () => {
    const one = { ...named, trustDomainBundleFile: 'a' }
    expect(problems([one], { trustDomain: 'partner.example' })).toMatch(/own trust domain/)
    expect(problems([one], { trustDomainAliases: ['partner.example'] })).toMatch(/taken for one of the mesh's own/)
    expect(problems([one, one])).toMatch(/occurs twice/)
    expect(problems([], {}, { port: 1, refreshHint: '4s' })).toMatch(/at least 5s/)
    expect(problems([], {}, { port: 1, address: 'localhost' })).toMatch(/an IP address/)
  })
})

function problemsOf(tls: object): string {
  const spec = { hosts: ['a.example'], ports: [{ port: 80 }], tls: { mode: 'ISTIO_MUTUAL', ...tls } }
  const document = { apiVersion: 'heddle.dev/v1alpha1', kind: 'ExternalService', metadata: { name: 'a' }, spec }
  return analyzeFiles([{ path: 'a.yaml', text: JSON.stringify(document) }])
    .problems.map(formatProblem)
    .join('\n')
}

describe('an ExternalService of another trust domain', () => {
  const id = 'spiffe://partner.example/ns/default/sa/a'

  it('says which SPIFFE IDs may answer', () => {
    expect(problemsOf({ subjectAltNames: [id] })).toBe('')
    expect(problemsOf({})).toMatch(/"subjectAltNames" is missing/)
    expect(problemsOf({ subjectAltNames: [id, 'a.example'] })).toMatch(/not the SPIFFE ID of a workload: its URI/)
    expect(problemsOf({ subjectAltNames: ['spiffe://partner.example'] })).toMatch(/has no path/)
    expect(problemsOf({ subjectAltNames: [id], sni: 'a.example' })).toMatch(/"sni" says nothing under ISTIO_MUTUAL/)
  })
})
