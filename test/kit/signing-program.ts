// A program for --ca-command: has the key in ca.key of the folder it is given sign what is asked on stdin. A file `fault` there makes it fail.
import { createPrivateKey, createPublicKey, verify, X509Certificate } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { CertificationRequest } from '@peculiar/asn1-csr'
import { AsnConvert } from '@peculiar/asn1-schema'

import { certificatesFromPem, certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { signedBy } from '../../src/control/authority/upstream-signer.ts'

const [folder = ''] = process.argv.slice(2)
const request = readFileSync(0, 'utf8')
const { HEDDLE_CA_NOT_AFTER: notAfter = '', HEDDLE_CA_TRUST_DOMAIN: trustDomain = '' } = process.env
const token = 'HEDDLE_TOKEN' in process.env ? ' and a token' : ''
appendFileSync(join(folder, 'asked'), `${trustDomain} ${notAfter}${token}\n`)
const fault = join(folder, 'fault')
if (existsSync(fault)) {
  process.stderr.write(readFileSync(fault))
  process.exit(3)
}
const der = Buffer.from(request.replaceAll(/-----[A-Z ]+-----/g, ''), 'base64')
const parsed = AsnConvert.parse(der, CertificationRequest)
const spki = Buffer.from(AsnConvert.serialize(parsed.certificationRequestInfo.subjectPKInfo))
const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
const signed = new Uint8Array(parsed.certificationRequestInfoRaw as ArrayBuffer)
if (!verify('sha256', signed, publicKey, new Uint8Array(parsed.signature))) throw new Error('the request is not signed')
const [first] = certificatesFromPem(readFileSync(join(folder, 'ca.crt'), 'utf8'))
const certificate = new X509Certificate(first as Buffer)
const notAfterMs = Date.parse(notAfter)
const answer = signedBy(
  { certificate, privateKey: createPrivateKey(readFileSync(join(folder, 'ca.key'))) },
  {
    publicKey,
    // a year, whatever the clock of the test says
    notBeforeMs: Math.max(notAfterMs - 365 * 86_400_000 - 60_000, certificate.validFromDate.getTime()),
    notAfterMs,
    uri: `spiffe://${trustDomain}`,
    kind: { role: 'signer', commonName: 'Signed elsewhere', trustDomain, pathLength: 0 },
  },
)
process.stdout.write(certificatesToPem([answer, certificate.raw]))
