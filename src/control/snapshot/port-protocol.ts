// What a port of a Service or of a Workload speaks, as its document declares it: by appProtocol (KEP-1422), else by its name as Istio reads it.
import type { PortProtocol } from './mesh-snapshot.ts'

const words: Readonly<Record<string, PortProtocol>> = {
  http: 'http',
  'grpc-web': 'http',
  http2: 'http2',
  h2c: 'http2',
  grpc: 'grpc',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
  mongo: 'tcp',
  mysql: 'tcp',
  postgres: 'tcp',
  postgresql: 'tcp',
  redis: 'tcp',
  amqp: 'tcp',
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'tls',
}

/** SMTP, DNS, MySQL and MongoDB speak first or speak no HTTP: undeclared they are bytes, as for Istio. */
const opaquePorts: ReadonlySet<number> = new Set([25, 53, 3306, 27017])

/** A word that is not known says as little as none. */
export function declaredProtocol(
  appProtocol: string | undefined,
  name: string | undefined,
  port: number,
): PortProtocol {
  const text = (appProtocol ?? name ?? '').toLowerCase()
  const declared = words[text] ?? (text.startsWith('grpc-web-') ? 'http' : words[text.split('-')[0] as string])
  return declared ?? (opaquePorts.has(port) ? 'tcp' : 'auto')
}

/** Whether routes of requests mean anything there. */
export function carriesRequests(protocol: PortProtocol): boolean {
  return protocol !== 'tcp' && protocol !== 'tls'
}

/** gRPC needs HTTP/2: where HTTP/1.1 is declared, no GRPCRoute applies. */
export function carriesGrpc(protocol: PortProtocol): boolean {
  return carriesRequests(protocol) && protocol !== 'http'
}

/** What is inside a CONNECT to it need not be HTTP. */
export function mayCarryBytes(protocol: PortProtocol): boolean {
  return !carriesRequests(protocol) || protocol === 'auto'
}
