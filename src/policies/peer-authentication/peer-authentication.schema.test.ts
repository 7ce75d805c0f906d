import { describe, expect, it } from 'vitest'

import { modeOfPort, peerAuthenticationDocumentSchema, peerAuthenticationSchema } from './peer-authentication.schema.ts'

it('is strict unless told otherwise', () => {
  expect(peerAuthenticationSchema.parse({})).toEqual({ mode: 'STRICT' })
  expect(peerAuthenticationSchema.safeParse({ mode: 'strict' }).success).toBe(false)
})

describe('a document', () => {
  it('says nothing unless told otherwise', () => {
    expect(peerAuthenticationDocumentSchema.parse({})).toEqual({ mtls: { mode: 'UNSET' }, portLevelMtls: {} })
  })

  const selector = { matchLabels: { app: 'a' } }
  it.each([
    [{ selector, portLevelMtls: { 8080: { mode: 'DISABLE' } } }, true],
    [{ portLevelMtls: { 8080: { mode: 'DISABLE' } } }, false],
    [{ selector: {}, portLevelMtls: { 8080: {} } }, false],
    [{ selector, portLevelMtls: { http: {} } }, false],
    [{ selector, portLevelMtls: { 0: {} } }, false],
    [{ selector, portLevelMtls: { 65535: {} } }, true],
    [{ selector, portLevelMtls: { 65536: {} } }, false],
    [{ selector, mtls: { mode: 'OFF' } }, false],
  ])('%j is taken: %s', (spec, taken) => {
    expect(peerAuthenticationDocumentSchema.safeParse(spec).success).toBe(taken)
  })
})

describe('the mode of port 8080', () => {
  const scopes = ['mesh', 'namespace', 'workload', 'port', 'other port'] as const
  /** One letter a scope: S, P, D, U (UNSET) or - (no document, or nothing about the port). */
  const modes = { S: 'STRICT', P: 'PERMISSIVE', D: 'DISABLE', U: 'UNSET' } as const
  it.each([
    ['S----', 'STRICT'],
    ['P----', 'PERMISSIVE'],
    ['SP---', 'PERMISSIVE'],
    ['SU---', 'STRICT'],
    ['PUU--', 'PERMISSIVE'],
    ['SPD--', 'DISABLE'],
    ['SPU--', 'PERMISSIVE'],
    ['S-P--', 'PERMISSIVE'],
    ['SPDS-', 'STRICT'],
    ['SPDU-', 'DISABLE'],
    ['SPUU-', 'PERMISSIVE'],
    ['S-UD-', 'DISABLE'],
    ['S-P-D', 'PERMISSIVE'],
    ['D-UPS', 'PERMISSIVE'],
  ])('%s: %s', (letters, expected) => {
    const at = (scope: (typeof scopes)[number]) => {
      const mode = modes[letters[scopes.indexOf(scope)] as keyof typeof modes]
      return mode === undefined ? undefined : { mode }
    }
    const [mesh, namespace, workload] = [at('mesh'), at('namespace'), at('workload')]
    if (mesh === undefined || mesh.mode === 'UNSET') throw new Error('the mesh has a mode')
    const [port, other] = [at('port'), at('other port')]
    const portLevelMtls = {
      ...(port === undefined ? {} : { 8080: port }),
      ...(other === undefined ? {} : { 9090: other }),
    }
    const ofNamespace = namespace && { mtls: namespace, portLevelMtls: {} }
    const ofWorkload = workload && { mtls: workload, portLevelMtls }
    expect(modeOfPort(mesh.mode, ofNamespace, ofWorkload, 8080)).toBe(expected)
  })
})
