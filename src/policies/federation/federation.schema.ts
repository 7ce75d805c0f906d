// Federation as a MeshConfig says it.
import { isIP } from 'node:net'

import { z } from 'zod'

import { spiffeIdFault, splitSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import { durationMs, durationSchema, portSchema, ruleIssue } from '../scalars.schema.ts'
import type { FederatedTrustDomainSpec, FederationSpec } from './federation.spec.ts'
import { maxBundleBytes, parseSpiffeBundle } from './spiffe-bundle.schema.ts'

/** Also how seldom others may be told to look: what they learn late, they refuse until then. */
export const leastRefreshMs = 5_000

/** A name that leaves room for an ending, as bundles are kept in files of that name. */
const federatedNameSchema = z
  .string()
  .max(250)
  .regex(/^[a-z0-9._-]+$/, 'a trust domain of lower-case letters, digits, ".", "-" and "_"')

const federatedTrustDomainSchema: z.ZodType<FederatedTrustDomainSpec> = z
  .strictObject({
    trustDomain: federatedNameSchema,
    trustDomainBundle: z.string().max(maxBundleBytes).exactOptional(),
    trustDomainBundleFile: z.string().min(1).exactOptional(),
    bundleEndpointURL: z
      .string()
      .refine((text) => isHttps(text), { error: 'expected an https URL without user, password and fragment' })
      .exactOptional(),
    bundleEndpointProfile: z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('https_web') }),
        z.strictObject({ type: z.literal('https_spiffe'), endpointSPIFFEID: z.string() }),
      ])
      .exactOptional(),
  })
  .check((ctx) => {
    const { trustDomain, trustDomainBundle: text, trustDomainBundleFile: file } = ctx.value
    const { bundleEndpointURL: url, bundleEndpointProfile: profile } = ctx.value
    const refuse = (path: PropertyKey[], message: string, code?: string): void => {
      ctx.issues.push(ruleIssue(ctx.value, path, message, code))
    }
    if (text !== undefined && file !== undefined)
      refuse(
        ['trustDomainBundleFile'],
        'the bundle is given twice: take "trustDomainBundle" or "trustDomainBundleFile"',
      )
    if (text !== undefined) {
      const { fault } = parseSpiffeBundle(text)
      if (fault !== undefined) refuse(['trustDomainBundle'], `this is no trust bundle: ${fault}`)
    }
    if (url === undefined) {
      if (profile !== undefined) refuse(['bundleEndpointProfile'], '"bundleEndpointURL" is missing', 'HDL006')
      else if (text === undefined && file === undefined)
        refuse([], 'the bundle is missing: "trustDomainBundleFile" or "bundleEndpointURL"', 'HDL006')
      return
    }
    if (profile === undefined) refuse(['bundleEndpointURL'], '"bundleEndpointProfile" is missing', 'HDL006')
    if (profile?.type !== 'https_spiffe') return
    const { endpointSPIFFEID: id } = profile
    const fault = spiffeIdFault(id) ?? (splitSpiffeId(id).path === '' ? 'its SPIFFE ID has no path' : undefined)
    if (fault !== undefined) refuse(['bundleEndpointProfile', 'endpointSPIFFEID'], `"${id}" is no SPIFFE ID: ${fault}`)
    else if (splitSpiffeId(id).trustDomain !== trustDomain)
      refuse(['bundleEndpointProfile', 'endpointSPIFFEID'], `"${id}" is not of trust domain "${trustDomain}"`)
    if (text === undefined && file === undefined)
      refuse(
        [],
        'a bundle to begin with is missing: "trustDomainBundleFile", as https_spiffe verifies the endpoint with it',
        'HDL006',
      )
  })

export const federationSchema: z.ZodType<FederationSpec> = z.strictObject({
  bundleEndpoint: z
    .strictObject({
      address: z
        .string()
        .refine((text) => isIP(text) !== 0, { error: 'expected an IP address' })
        .default('127.0.0.1'),
      port: portSchema,
      refreshHint: durationSchema
        .refine((text) => durationMs(text) >= leastRefreshMs, { error: '"refreshHint" must be at least 5s' })
        .default('5m'),
    })
    .exactOptional(),
  federatesWith: z
    .array(federatedTrustDomainSchema)
    .max(64)
    .check((ctx) => {
      for (const [index, { trustDomain }] of ctx.value.entries())
        if (ctx.value.findIndex((other) => other.trustDomain === trustDomain) < index)
          ctx.issues.push(
            ruleIssue(ctx.value, [index, 'trustDomain'], `trust domain "${trustDomain}" occurs twice`, 'HDL007'),
          )
    })
    .default([]),
})

function isHttps(text: string): boolean {
  const url = URL.parse(text)
  return url?.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === ''
}

/** For a MeshConfig: another trust domain is never one of our own names. */
export function checkTrustDomains(
  ctx: z.core.ParsePayload<{
    readonly trustDomain: string
    readonly trustDomainAliases: readonly string[]
    readonly federation: FederationSpec
  }>,
): void {
  const { trustDomain: own, trustDomainAliases, federation } = ctx.value
  for (const [index, { trustDomain }] of federation.federatesWith.entries()) {
    if (trustDomain !== own && !trustDomainAliases.includes(trustDomain)) continue
    const message =
      trustDomain === own
        ? `"${trustDomain}" is the mesh's own trust domain`
        : `"${trustDomain}" is one of trustDomainAliases: whoever is of it would be taken for one of the mesh's own`
    ctx.issues.push(ruleIssue(ctx.value, ['federation', 'federatesWith', index, 'trustDomain'], message))
  }
}
