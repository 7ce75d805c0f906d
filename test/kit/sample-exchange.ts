// A finished request as a source sidecar saw it; tests change what they speak of.
import { HeaderList } from '../../src/core/header-list.ts'
import type { Exchange } from '../../src/proxy/telemetry/exchange.ts'

export function sampleExchange(changes: Partial<Exchange> = {}): Exchange {
  return {
    // Of a ManualClock that nobody has moved.
    startMonotonicMs: 1_700_000_000_000,
    durationMs: 3,
    reporter: 'source',
    listener: 'outbound',
    request: {
      method: 'GET',
      scheme: 'http',
      authority: 'reviews:9080',
      path: '/reviews/1',
      headers: HeaderList.of(['user-agent', 'curl/8']),
    },
    protocol: 'HTTP/1.1',
    requestBytes: 0,
    responseBytes: 12,
    source: { remoteAddress: '127.0.0.1', remotePort: 40_000 },
    sourcePrincipal: undefined,
    mtls: false,
    revision: '7',
    authorization: undefined,
    egressRefused: undefined,
    rateLimit: undefined,
    filters: undefined,
    metadata: undefined,
    routeConfiguration: 'reviews.default.svc.cluster.local:9080',
    virtualHost: 'reviews',
    route: {
      name: 'HTTPRoute/default/reviews/0',
      source: { document: 'HTTPRoute/default/reviews', file: 'mesh.yaml', line: 12, column: 3 },
    },
    split: undefined,
    cluster: 'reviews.default.svc.cluster.local:9080',
    destinationService: 'reviews.default.svc.cluster.local',
    destinationWorkload: 'default/reviews-v1',
    destinationPrincipal: 'spiffe://mesh.local/ns/default/sa/reviews',
    destinationAddress: '127.0.0.1:20005',
    attempts: [{ endpoint: '127.0.0.1:20005', outcome: 'response', status: 200, durationMs: 2 }],
    status: 200,
    grpcStatus: undefined,
    flags: [],
    detail: undefined,
    accessLog: { enabled: true, samplePercent: 100 },
    muted: undefined,
    traced: undefined,
    ...changes,
  }
}
