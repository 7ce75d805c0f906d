// envoy, one worker thread: whichever stands on PATH (Debian has none). HTTP/1.1, one hop.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { freePorts } from '../../test/kit/free-ports.ts'
import type { Bench } from '../proxy-under-test.ts'
import { Peer, type PeerProcess } from './peer.ts'

export class Envoy extends Peer {
  readonly #bench: Bench

  constructor(bench: Bench) {
    super('envoy', 'envoy', ['plain-hop'], bench)
    this.#bench = bench
  }

  protected async processes(): Promise<readonly PeerProcess[]> {
    const [front] = (await freePorts(1)) as [number]
    const to = { cluster: 'app' }
    const routes = [
      {
        match: { prefix: '/admin' },
        route: to,
        request_headers_to_add: [{ header: { key: 'x-area', value: 'admin' } }],
      },
      { match: { prefix: '/', headers: [{ name: 'x-canary', string_match: { exact: 'true' } }] }, route: to },
      { match: { path: '/health' }, route: to },
      { match: { prefix: '/api' }, route: to },
      { match: { prefix: '/' }, route: to },
    ]
    const type = 'type.googleapis.com/envoy.extensions.filters'
    const manager = {
      '@type': `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'bench',
      use_remote_address: true,
      via: 'bench',
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
      http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': `${type}.http.router.v3.Router` } }],
    }
    const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }]
    const endpoint = { endpoint: { address: address(this.#bench.backends.http) } }
    const file = join(this.#bench.folder, 'envoy.json')
    writeFileSync(
      file,
      JSON.stringify({
        static_resources: {
          listeners: [{ name: 'front', address: address(front), filter_chains: [{ filters }] }],
          clusters: [
            { name: 'app', load_assignment: { cluster_name: 'app', endpoints: [{ lb_endpoints: [endpoint] }] } },
          ],
        },
      }),
    )
    return [{ port: front, args: ['-c', file, '--concurrency', '1', '--log-level', 'warning'] }]
  }
}

function address(port: number): unknown {
  return { socket_address: { address: '127.0.0.1', port_value: port } }
}
