// Filters of documents: in front of a workload, and on routes.
import type { MeshFilter } from '../../../src/control/snapshot/mesh-snapshot.ts'
import { MeshBuilder, forward, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const identity: MeshFilter = {
  name: 'Filter/default/identity',
  source: { document: 'Filter/default/identity', file: 'mesh.yaml', line: 1, column: 1 },
  kind: 'transformation',
  spec: {
    request: {
      set: [{ name: 'x-caller', value: '%DOWNSTREAM_PEER_URI_SAN%' }],
      add: [{ name: 'x-path', value: '%PATH(NQ)% 100%%' }],
      remove: ['x-internal'],
    },
    response: { set: [{ name: 'x-answer', value: '%RESPONSE_CODE%' }], add: [], remove: ['server'] },
  },
}

const smaller: MeshFilter = {
  name: 'Filter/default/smaller',
  source: { document: 'Filter/default/smaller', file: 'mesh.yaml', line: 9, column: 1 },
  kind: 'compression',
  spec: {
    codings: [
      { coding: 'zstd', level: 3 },
      { coding: 'br', level: 4 },
      { coding: 'gzip', level: 6 },
    ],
    contentTypes: ['application/json'],
    minContentLengthBytes: 1_024,
  },
}

/** Longer than Envoy takes unless it is told to. */
const body = 'x'.repeat(5_000)

const orders = { pattern: '^/v1/([^/]+)/orders/(.*)$', substitution: String.raw`/orders/\2?user=\1` }

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web', { ports: [{ name: 'http', port: 9080, protocol: 'http', filters: [identity, smaller] }] })
    .service('default', 'web', {
      workloads: ['web'],
      routes: [
        route('transformed', forward(['web']), { filters: [identity, smaller, identity] }),
        route(
          'answered',
          { kind: 'respond', response: { status: 503, headers: [{ name: 'content-type', value: 'text/html' }], body } },
          { filters: [identity], responseHeaders: { set: [{ name: 'x-a', value: '1' }], add: [], remove: [] } },
        ),
        route('rewritten', forward(['web'], { rewrite: { path: { kind: 'regex', ...orders }, hostPattern: orders } })),
      ],
    }),
  node: node('sidecar', 'default', 'web'),
}
