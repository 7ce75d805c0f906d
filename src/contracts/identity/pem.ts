// Certificates travel as DER and are used as PEM.

/** DER certificates as one PEM text, in their order. */
export function certificatesToPem(certificatesDer: readonly Uint8Array[]): string {
  return certificatesDer.map(certificateToPem).join('')
}

/** The certificates in a PEM text, in their order; keys and other blocks are passed over. */
export function certificatesFromPem(pem: string): Buffer[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)
  return [...blocks].map(([, base64]) => Buffer.from(base64 as string, 'base64'))
}

function certificateToPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
