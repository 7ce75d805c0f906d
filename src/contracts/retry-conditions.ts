// Envoy's names for what is retried, as far as they stand for statuses: in documents and in retry_on.

export const statusesOfCondition: Readonly<Record<string, readonly number[]>> = {
  '5xx': [500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
  'gateway-error': [502, 503, 504],
  'retriable-4xx': [409],
}

/** Of gRPC; Envoy knows no others. */
export const grpcStatusOfCondition: Readonly<Record<string, number>> = {
  cancelled: 1,
  'deadline-exceeded': 4,
  'resource-exhausted': 8,
  internal: 13,
  unavailable: 14,
}
