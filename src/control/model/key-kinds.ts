// Secret and ConfigMap, as far as the mesh reads them: certificates with their keys, and roots. Values never show in messages.
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { createSecureContext } from 'node:tls'

import { z } from 'zod'

import { ruleIssue } from '../../policies/scalars.schema.ts'

export interface SecretSpec {
  readonly type: string
  /** Base64. */
  readonly data: Readonly<Record<string, string>>
  /** Wins over `data`. */
  readonly stringData: Readonly<Record<string, string>>
}

export interface ConfigMapSpec {
  readonly data: Readonly<Record<string, string>>
}

const unused = z.unknown().optional()
const textsSchema = z.record(z.string(), z.string()).default({})

export const tlsSecretType = 'kubernetes.io/tls'
export const certificateKey = 'tls.crt'
export const privateKeyKey = 'tls.key'
export const rootsKey = 'ca.crt'

/** What is stored under that name, decoded. */
export function secretText({ data, stringData }: Omit<SecretSpec, 'type'>, name: string): string | undefined {
  const encoded = data[name]
  return stringData[name] ?? (encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8'))
}

/** What is wrong with a certificate and its key; undefined when a server can use them. */
export function certificateFault(
  chainPem: string,
  keyPem: string,
): { readonly key: typeof certificateKey | typeof privateKeyKey; readonly message: string } | undefined {
  const chainFault = certificatesFault(chainPem)
  if (chainFault !== undefined) return { key: certificateKey, message: chainFault }
  let key
  try {
    key = createPrivateKey(keyPem)
  } catch {
    return { key: privateKeyKey, message: 'it holds no private key in PEM' }
  }
  if (!new X509Certificate(chainPem).checkPrivateKey(key))
    return { key: privateKeyKey, message: 'the private key is not that of the certificate' }
  try {
    // whatever else the TLS library minds, a key that is too short for example
    createSecureContext({ cert: chainPem, key: keyPem })
  } catch (error) {
    const { reason = 'unknown reason' } = error as { reason?: string }
    return { key: certificateKey, message: `TLS cannot use the certificate: ${reason}` }
  }
  return undefined
}

/** What is wrong with a file of one or more certificates in PEM. */
export function certificatesFault(pem: string): string | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) return 'it holds no certificate in PEM'
  const bad = blocks.findIndex((block) => !isCertificate(block))
  return bad === -1 ? undefined : `certificate ${bad + 1} of ${blocks.length} is damaged`
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

/** Checked here rather than where it is used: a document that turns bad leaves its last good version in force. */
export function checkSecret(ctx: z.core.ParsePayload): void {
  const secret = ctx.value as SecretSpec
  const place = (key: string): string[] => [secret.stringData[key] === undefined ? 'data' : 'stringData', key]
  const issue = (key: string, message: string, code?: string): void => {
    ctx.issues.push(ruleIssue(secret, place(key), `"${key}": ${message}`, code))
  }
  if (secret.type !== tlsSecretType) return
  const [chain, key] = [secretText(secret, certificateKey), secretText(secret, privateKeyKey)]
  if (chain === undefined) issue(certificateKey, `it is missing in a Secret of type ${tlsSecretType}`, 'HDL006')
  if (key === undefined) issue(privateKeyKey, `it is missing in a Secret of type ${tlsSecretType}`, 'HDL006')
  if (chain === undefined || key === undefined) return
  const fault = certificateFault(chain, key)
  if (fault !== undefined) issue(fault.key, fault.message)
}

export const secretFields: z.ZodRawShape = {
  type: z.string().default('Opaque'),
  data: textsSchema,
  stringData: textsSchema,
  immutable: unused,
}

export const configMapFields: z.ZodRawShape = { data: textsSchema, binaryData: unused, immutable: unused }
