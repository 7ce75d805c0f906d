// Certificates for the peers: P-256, one authority, a client and a server; made anew for each run.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Certificates } from './proxy-under-test.ts'

export function makeCertificates(folder: string): Certificates {
  const file = (name: string): string => join(folder, name)
  const serverName = 'app.mesh'
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(
    'req',
    '-x509',
    ...key,
    '-subj',
    '/CN=bench authority',
    '-days',
    '2',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.crt'),
  )
  for (const [name, host] of [
    ['client', 'client.mesh'],
    ['server', serverName],
  ] as const) {
    openssl('req', ...key, '-subj', `/CN=${host}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`))
    writeFileSync(file(`${name}.ext`), `subjectAltName=DNS:${host}\nextendedKeyUsage=clientAuth,serverAuth\n`)
    const signing = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '2']
    openssl(
      'x509',
      '-req',
      '-in',
      file(`${name}.csr`),
      ...signing,
      '-extfile',
      file(`${name}.ext`),
      '-out',
      file(`${name}.crt`),
    )
    writeFileSync(
      file(`${name}.pem`),
      readFileSync(file(`${name}.crt`), 'utf8') + readFileSync(file(`${name}.key`), 'utf8'),
    )
  }
  return {
    ca: file('ca.crt'),
    client: file('client.crt'),
    clientKey: file('client.key'),
    clientBundle: file('client.pem'),
    server: file('server.crt'),
    serverKey: file('server.key'),
    serverBundle: file('server.pem'),
    serverName,
  }
}

function openssl(...args: readonly string[]): void {
  const result = spawnSync('openssl', args, { encoding: 'utf8' })
  if (result.error !== undefined) throw new Error('openssl is missing: bench/install-peers installs it')
  if (result.status !== 0) throw new Error(`openssl ${args[0]}: ${result.stderr}`)
}
