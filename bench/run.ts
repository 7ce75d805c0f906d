// `npm run bench -- [--quick] [--json FILE] [--only WORK,...] [--rounds N]`: Heddle beside other proxies, in turns, each on one core.
import { join } from 'node:path'

import { writeAuthorizationRules } from './authorization-rules.ts'
import { Heddle } from './heddle.ts'
import { readOptions } from './options.ts'
import { Caddy } from './peers/caddy.ts'
import { Envoy } from './peers/envoy.ts'
import { Haproxy } from './peers/haproxy.ts'
import { Nginx } from './peers/nginx.ts'
import { policyVariants } from './policies.ts'
import { openSession, report } from './session.ts'

const options = readOptions()
const tree = join(import.meta.dirname, '..')
/** HTTP/1.1 pools between the sidecars. */
const http1Link = join(import.meta.dirname, 'mesh', 'http1-link.yaml')
const tracing = join(import.meta.dirname, 'mesh', 'tracing.yaml')
const telemetryOff = join(import.meta.dirname, 'mesh', 'telemetry-off.yaml')

const session = await openSession()
const { bench } = session
const proxies = [
  new Heddle({ name: 'heddle', tree }, bench),
  new Heddle(
    {
      name: 'heddle-authz',
      tree,
      documents: writeAuthorizationRules(bench.folder),
      topologies: ['mtls-hops'],
    },
    bench,
  ),
  new Heddle({ name: 'heddle-http1', tree, documents: http1Link, topologies: ['mtls-hops'] }, bench),
  new Heddle({ name: 'heddle-tracing', tree, documents: tracing, topologies: ['mtls-hops'] }, bench),
  new Heddle({ name: 'heddle-telemetry-off', tree, documents: telemetryOff, topologies: ['mtls-hops'] }, bench),
  ...[...policyVariants].map(
    ([name, rewrite]) => new Heddle({ name: `heddle-${name}`, tree, rewrite, topologies: ['policy-hops'] }, bench),
  ),
  new Haproxy(bench, false),
  new Haproxy(bench, true),
  new Nginx(bench),
  new Caddy(bench),
  new Envoy(bench),
]
try {
  await report({ ...options, proxies })
} finally {
  await session.stop()
}
