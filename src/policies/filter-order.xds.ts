// The order in which a request passes HTTP filters, and why. Every listener's filters are put into it; a proxy runs them as they come.

export type FilterKind =
  | 'forwardProxy'
  | 'requestAuthentication'
  | 'externalAuthorization'
  | 'authorization'
  | 'localRateLimit'
  | 'globalRateLimit'
  | 'document'
  | 'forwardedHeaders'
  | 'egress'
  | 'headerToMetadata'
  | 'fault'
  | 'cors'
  | 'statefulSession'
  | 'accessLogFile'
  | 'redaction'
  | 'router'

export const filterOrder: Readonly<Record<FilterKind, string>> = {
  forwardProxy: 'names the routes of the outbound port; Envoy wants what chooses routes first',
  requestAuthentication: 'all that follows may ask for the claims of a token',
  externalAuthorization:
    'Istio asks the servers of CUSTOM policies before DENY and ALLOW; their answer may change headers',
  authorization: 'reads identity, claims, and headers as they go on',
  localRateLimit: "counts what is to be served: who may not ask uses up nobody's share; claims are known",
  globalRateLimit: 'asks about nothing that a local limit refuses: the server is spared a flood',
  document:
    'Filters of a workload or gateway, by age: see only what is to be served, and know its claims; nobody has counted what they change',
  forwardedHeaders: 'tells the next hop what this one knows of the caller: nobody here reads it',
  egress: 'rules of the route about what may leave to an ExternalService: who may not go there suffers no fault of it',
  headerToMetadata:
    'what a request chooses by among the labels of endpoints, by the rules of the route: only the router asks',
  fault: 'a fault stands for the destination: only who may ask it suffers; chosen with the route',
  cors: 'answers preflights by the rules of the route',
  statefulSession: 'names the endpoint of a session by the rules of the route: who was answered already needs none',
  accessLogFile: 'no request passes it: says how files of the access log are rotated',
  redaction: 'no request passes it: says what is shown of them nowhere',
  router: 'forwards',
}

const kinds = Object.keys(filterOrder) as FilterKind[]

export function inFilterOrder<T>(filters: Partial<Record<FilterKind, readonly T[]>>): T[] {
  return kinds.flatMap((kind) => filters[kind] ?? [])
}
