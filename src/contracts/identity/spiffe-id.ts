// SPIFFE IDs (SPIFFE-ID standard, section 2), and those of workloads and gateways: spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>.

export interface WorkloadIdentity {
  readonly trustDomain: string
  readonly namespace: string
  readonly serviceAccount: string
}

export function formatSpiffeId(identity: WorkloadIdentity): string {
  return `spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`
}

const scheme = 'spiffe://'
const maxIdBytes = 2048
const maxTrustDomainBytes = 255

/** Which rule of the standard the text breaks; undefined when it is a SPIFFE ID, of a workload or of a whole trust domain. */
export function spiffeIdFault(text: string): string | undefined {
  if (!text.startsWith(scheme)) return `its URI does not start with ${scheme}`
  if (text.length > maxIdBytes) return `its SPIFFE ID is longer than ${maxIdBytes} bytes`
  const { trustDomain, path } = splitSpiffeId(text)
  if (!/^[a-z0-9._-]+$/.test(trustDomain))
    return 'its trust domain has other characters than a-z, 0-9, ".", "-" and "_"'
  if (trustDomain.length > maxTrustDomainBytes) return `its trust domain is longer than ${maxTrustDomainBytes} bytes`
  for (const segment of path.split('/').slice(1)) {
    if (segment === '') return 'its path has an empty segment'
    if (segment === '.' || segment === '..') return `its path has the segment "${segment}"`
    if (!/^[A-Za-z0-9._-]+$/.test(segment))
      return 'its path has other characters than letters, digits, ".", "-" and "_"'
  }
  return undefined
}

/** The two parts of what is known to be a SPIFFE ID; the path is empty or starts with "/". */
export function splitSpiffeId(spiffeId: string): { readonly trustDomain: string; readonly path: string } {
  const slash = spiffeId.indexOf('/', scheme.length)
  if (slash === -1) return { trustDomain: spiffeId.slice(scheme.length), path: '' }
  return { trustDomain: spiffeId.slice(scheme.length, slash), path: spiffeId.slice(slash) }
}

const workloadPath = /^\/ns\/([A-Za-z0-9._-]{1,253})\/sa\/([A-Za-z0-9._-]{1,261})$/

/** Undefined when the text is not a workload's SPIFFE ID. */
export function parseSpiffeId(text: string): WorkloadIdentity | undefined {
  if (spiffeIdFault(text) !== undefined) return undefined
  const { trustDomain, path } = splitSpiffeId(text)
  const [, namespace, serviceAccount] = workloadPath.exec(path) ?? []
  if (namespace === undefined || serviceAccount === undefined) return undefined
  return { trustDomain, namespace, serviceAccount }
}

/** What a gateway runs as. No document can name it: service accounts of Workloads have no "_". */
export function gatewayServiceAccount(gateway: string): string {
  return `gateway_${gateway}`
}
