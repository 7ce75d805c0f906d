// TLS contexts, made once for each set of credentials: what is spoken, and with which keys and roots.
import { constants } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'

import type { ClientTls, ServerTls, TlsCredentials } from './connection.ts'

/** The cheapest for machines with AES instructions first; all are safe. */
const cipherSuites = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'
/** For TLS 1.2: forward secret and authenticated encryption only (RFC 9325, section 4.2). */
const olderCipherSuites = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** Inside the mesh. Without tickets a session is never resumed, so both identities are checked on every handshake. */
const meshOptions: SecureContextOptions = {
  ciphers: cipherSuites,
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
}

/** With those who are not of the mesh, as servers and as clients. */
const outsideOptions: SecureContextOptions = {
  ciphers: `${cipherSuites}:${olderCipherSuites}`,
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_CIPHER_SERVER_PREFERENCE | constants.SSL_OP_NO_RENEGOTIATION,
}

/** How many sets of roots for servers outside the mesh are kept ready. */
const keptRoots = 32

const clients = new WeakMap<TlsCredentials, SecureContext>()
const originating = new Map<string | undefined, SecureContext>()

export function clientContext(tls: ClientTls): SecureContext {
  if (tls.kind === 'originate') return originatingContext(tls.rootsPem)
  let context = clients.get(tls.credentials)
  if (context === undefined)
    clients.set(tls.credentials, (context = createSecureContext(meshContextOptions(tls.credentials))))
  return context
}

function originatingContext(rootsPem: string | undefined): SecureContext {
  let context = originating.get(rootsPem)
  if (context !== undefined) return context
  context = createSecureContext({ ...outsideOptions, ...(rootsPem !== undefined && { ca: rootsPem }) })
  originating.set(rootsPem, context)
  if (originating.size > keptRoots) originating.delete(originating.keys().next().value)
  return context
}

interface ServerContexts {
  mesh?: SecureContext
  gateway?: SecureContext
}

const servers = new WeakMap<TlsCredentials, ServerContexts>()

export function serverContext(tls: ServerTls): SecureContext {
  let contexts = servers.get(tls.credentials)
  if (contexts === undefined) servers.set(tls.credentials, (contexts = {}))
  const kind = tls.clientCertificate === 'none' ? 'gateway' : 'mesh'
  return (contexts[kind] ??= createSecureContext(serverContextOptions(tls)))
}

export function serverContextOptions({ credentials, clientCertificate }: ServerTls): SecureContextOptions {
  if (clientCertificate !== 'none') return meshContextOptions(credentials)
  // No roots at all rather than those of the runtime: nobody is verified.
  return { ...outsideOptions, ...keysOf(credentials), ca: [] }
}

function meshContextOptions(credentials: TlsCredentials): SecureContextOptions {
  const { rootsPem, federatedBundles } = credentials
  // the roots of all domains: whether a peer leads to one of its own is told afterwards
  const ca = federatedBundles === undefined ? rootsPem : [rootsPem, ...federatedBundles.map((one) => one.rootsPem)]
  return { ...meshOptions, ...keysOf(credentials), ca }
}

function keysOf({ certificateChainPem, privateKeyPem }: TlsCredentials): SecureContextOptions {
  return { cert: certificateChainPem, key: privateKeyPem }
}
