// Asks a SPIFFE bundle endpoint of another trust domain for its bundle (SPIFFE Federation standard, section 5). Whoever answers is bounded in
// size and time, and is who it should be.
import type { ClientRequest } from 'node:http'
import { get } from 'node:https'
import type { RequestOptions } from 'node:https'
import { isIP } from 'node:net'
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls'

import { readLeafSvid, signingCertificateFault } from '../../contracts/identity/x509-svid.ts'
import type { Clock } from '../../core/clock.ts'
import { maxBundleBytes } from '../../policies/federation/spiffe-bundle.schema.ts'

export interface BundleFetchOptions {
  readonly clock: Clock
  /** Ends the fetch with a rejection. */
  readonly signal: AbortSignal
  /** For the whole exchange. */
  readonly timeoutMs: number
  /** Absent: `https_web`, verified by name with the roots that the runtime trusts. */
  readonly spiffe?: { readonly rootsPem: string; readonly endpointSpiffeId: string }
}

/** Rejects with an Error that says why there is none. Follows no redirects. */
export function fetchBundle(url: URL, options: BundleFetchOptions): Promise<string> {
  const { clock, signal, timeoutMs } = options
  return new Promise((resolve, reject) => {
    const request = get(url, {
      // a connection of its own, so that no session is resumed: each handshake is looked at
      agent: false,
      signal,
      headers: { accept: 'application/json' },
      maxHeaderSize: 16 * 1024,
      minVersion: 'TLSv1.2',
      ...identityOptions(url, options),
    })
    const timer = clock.setTimer(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    request.on('close', () => timer.cancel())
    request.on('error', reject)
    request.on('response', (response) => {
      if (response.statusCode !== 200) {
        request.destroy(new Error(`the endpoint answered with status ${response.statusCode}`))
        return
      }
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => take(request, chunks, chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.complete) resolve(Buffer.concat(chunks).toString())
      })
    })
  })
}

function take(request: ClientRequest, chunks: Buffer[], chunk: Buffer): void {
  chunks.push(chunk)
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0)
  if (bytes > maxBundleBytes) request.destroy(new Error(`the answer is larger than ${maxBundleBytes} bytes`))
}

function identityOptions(url: URL, { spiffe }: BundleFetchOptions): RequestOptions {
  if (spiffe === undefined) return {}
  const host = url.hostname.replaceAll(/^\[|\]$/g, '')
  return {
    ca: spiffe.rootsPem,
    // RFC 6066, section 3: addresses are not sent
    servername: isIP(host) === 0 ? host : '',
    checkServerIdentity: (_host: string, certificate: PeerCertificate) => {
      const fault = endpointFault(certificate as DetailedPeerCertificate, spiffe.endpointSpiffeId)
      return fault === undefined ? undefined : new Error(`the endpoint is not who it should be: ${fault}`)
    },
  }
}

function endpointFault(shown: DetailedPeerCertificate, expected: string): string | undefined {
  const { spiffeId, fault } = readLeafSvid(shown.raw)
  if (fault !== undefined) return fault
  if (spiffeId !== expected) return `it is ${spiffeId}, not ${expected}`
  let certificate = shown
  while (certificate.issuerCertificate !== undefined && !certificate.issuerCertificate.raw.equals(certificate.raw)) {
    certificate = certificate.issuerCertificate
    const signerFault = signingCertificateFault(certificate.raw)
    if (signerFault !== undefined) return signerFault
  }
  return undefined
}
