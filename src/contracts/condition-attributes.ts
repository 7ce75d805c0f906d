// What conditions of authorization policies may ask about: Envoy's attributes, and three names that documents may use instead.

/** On the wire. `metadata.filter_metadata` holds the claims of verified tokens. */
export const conditionAttributes = {
  'request.method': 'string',
  'request.scheme': 'string',
  'request.host': 'string',
  /** With query. */
  'request.path': 'string',
  'request.url_path': 'string',
  'request.query': 'string',
  'request.headers': 'strings',
  /** Address and port of whom the request is from. */
  'source.address': 'string',
  'destination.port': 'int',
  'connection.mtls': 'bool',
  'connection.requested_server_name': 'string',
  /** The peer's SPIFFE ID. */
  'connection.uri_san_peer_certificate': 'string',
  'metadata.filter_metadata': 'map',
} as const

/** `destination.port` is the application's port there. */
export const documentAttributes: Readonly<Record<string, 'bool' | 'string' | 'strings' | 'int' | 'map'>> = {
  ...conditionAttributes,
  /** `connection.uri_san_peer_certificate`. */
  'source.principal': 'string',
  /** The claims in `metadata.filter_metadata`. */
  'request.auth.claims': 'map',
}

/** Whose metadata holds the claims of verified tokens, and under which key. */
export const tokenFilter = 'envoy.filters.http.jwt_authn'
export const tokenPayload = 'payload'

export type ConditionAttribute = keyof typeof conditionAttributes

/** Whether a connection of bytes knows nothing of it. */
export function isRequestAttribute(name: string): boolean {
  return name.startsWith('request.') || name.startsWith('metadata.')
}
