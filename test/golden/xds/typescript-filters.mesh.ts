// Filters in TypeScript: in front of a workload, and on routes, one that may be passed by and one that may not.
import { createHash } from 'node:crypto'

import type { MeshFilter } from '../../../src/control/snapshot/mesh-snapshot.ts'
import { MeshBuilder, forward, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

function filter(name: string, code: string, onError: 'Continue' | 'Refuse'): MeshFilter {
  const place = { name, source: { document: name, file: 'mesh.yaml', line: 7, column: 1 } }
  const sha256 = createHash('sha256').update(code).digest('hex')
  const config = { fields: ['card'], depth: 3, nested: { on: true } }
  const bounds = { timeBudgetMs: 20, onError, maxBodyBytes: 1_024 }
  return { ...place, kind: 'typescript', spec: { ...place, code, sha256, config, ...bounds } }
}

const counted = filter('Filter/default/counted', 'export default { onRequest() {} }\n', 'Continue')
const redact = filter('Filter/default/redact', 'export default () => ({ onResponseBody() {} })\n', 'Refuse')

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web', { ports: [{ name: 'http', port: 9080, protocol: 'http', filters: [redact] }] })
    .service('default', 'web', {
      workloads: ['web'],
      routes: [route('both', forward(['web']), { filters: [counted, redact] })],
    }),
  node: node('sidecar', 'default', 'web'),
}
