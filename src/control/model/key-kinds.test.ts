import { describe, expect, it } from 'vitest'

import { payCertificate, shopCertificate } from '../../../test/kit/test-certificates.ts'
import { certificatesFault, secretText } from './key-kinds.ts'
import { Model } from './model.ts'

function secret(data: Readonly<Record<string, string>>, type = 'kubernetes.io/tls') {
  const text = JSON.stringify(
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, type, stringData: data },
    undefined,
    2,
  )
  return [{ path: 's.yaml', text }]
}

const good = { 'tls.crt': shopCertificate.certificateChainPem, 'tls.key': shopCertificate.privateKeyPem }

describe('certificates in Secrets', () => {
  it('keeps the last good version of one that turned bad, and says where', () => {
    const model = new Model()
    expect(model.update(secret(good)).problems).toEqual([])
    const { documents, problems, stale } = model.update(secret({ ...good, 'tls.key': payCertificate.privateKeyPem }))
    expect(problems).toMatchObject([
      {
        code: 'HDL005',
        severity: 'error',
        path: 'stringData.tls.key',
        message: expect.stringContaining('not that of the certificate'),
      },
    ])
    expect(stale).toEqual(new Set(['Secret/default/s']))
    expect(documents[0]?.spec).toMatchObject({ stringData: good })
  })

  it('takes base64, and text before it', () => {
    const data = { a: Buffer.from('coded').toString('base64'), b: 'eA==' }
    expect(secretText({ data, stringData: { b: 'plain' } }, 'a')).toBe('coded')
    expect(secretText({ data, stringData: { b: 'plain' } }, 'b')).toBe('plain')
    expect(secretText({ data, stringData: {} }, 'c')).toBeUndefined()
  })

  it('looks into no Secret of another type', () => {
    expect(new Model().update(secret({ 'tls.crt': 'x' }, 'Opaque')).problems).toEqual([])
  })

  it('shows nothing of what it minds', () => {
    const { problems } = new Model().update(secret({ 'tls.crt': 'hunter2', 'tls.key': 'hunter2' }))
    expect(problems).toHaveLength(1)
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  it('checks each certificate of a chain', () => {
    const { certificateChainPem: pem } = shopCertificate
    const damaged = pem.replace(/\nMII/, '\nAAA')
    expect(certificatesFault(pem + payCertificate.certificateChainPem)).toBeUndefined()
    expect(certificatesFault(pem + damaged)).toBe('certificate 2 of 2 is damaged')
  })
})
