// Names of services in DNS ("_http._tcp.api.example"), and their SRV records (RFC 2782) as HostAddresses keeps them: as zone files have them.
import type { EndpointConfig } from '../runtime/runtime-config.ts'

export interface ServiceRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

export function isServiceName(host: string): boolean {
  return host.startsWith('_')
}

export function formatServiceRecord({ name, port, priority, weight }: ServiceRecord): string {
  return `${priority} ${weight} ${port} ${name}`
}

/** The endpoint with what its record says. A weight of 0 is the least that gets anything. */
export function endpointOfRecord(endpoint: EndpointConfig, record: string): EndpointConfig {
  const [priority = '', weight = '', port = '', host = ''] = record.split(' ')
  return { ...endpoint, host, port: Number(port), weight: Math.max(1, Number(weight)), priority: Number(priority) }
}
