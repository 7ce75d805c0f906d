// SPIFFE IDs of workloads and gateways: spiffe://<trust-domain>/ns/<namespace>/sa/<service-account> (SPIFFE-ID standard, section 2).

export interface WorkloadIdentity {
  readonly trustDomain: string
  readonly namespace: string
  readonly serviceAccount: string
}

export function formatSpiffeId(identity: WorkloadIdentity): string {
  return `spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`
}

const pattern = /^spiffe:\/\/([a-z0-9._-]{1,255})\/ns\/([A-Za-z0-9._-]{1,253})\/sa\/([A-Za-z0-9._-]{1,261})$/

/** Undefined when the text is not a workload's SPIFFE ID. */
export function parseSpiffeId(text: string): WorkloadIdentity | undefined {
  const parts = pattern.exec(text)
  if (parts === null || text.length > 2048) return undefined
  const [, trustDomain, namespace, serviceAccount] = parts as unknown as [string, string, string, string]
  if ([namespace, serviceAccount].some((segment) => segment === '.' || segment === '..')) return undefined
  return { trustDomain, namespace, serviceAccount }
}

/** What a gateway runs as. No document can name it: service accounts of Workloads have no "_". */
export function gatewayServiceAccount(gateway: string): string {
  return `gateway_${gateway}`
}
