// caddy, one hop, one thread.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { freePorts } from '../../test/kit/free-ports.ts'
import type { Bench, Topology } from '../proxy-under-test.ts'
import { Peer, type PeerProcess } from './peer.ts'

export class Caddy extends Peer {
  readonly #bench: Bench

  constructor(bench: Bench) {
    super('caddy', 'caddy', ['plain-hop', 'tls-front', 'memory'], bench)
    this.#bench = bench
  }

  protected async processes(topology: Topology): Promise<readonly PeerProcess[]> {
    const [front] = (await freePorts(1)) as [number]
    const file = join(this.#bench.folder, `Caddyfile-${topology}`)
    const { server, serverKey } = this.#bench.certificates
    const secured = topology === 'tls-front'
    const pass = `reverse_proxy 127.0.0.1:${this.#bench.backends.http} {
      header_up Via "1.1 bench"
      header_down Via "1.1 bench"
      transport http {
        keepalive_idle_conns_per_host 1024
      }
    }`
    writeFileSync(
      file,
      `{
  admin off
  auto_https off
}
${secured ? 'https' : 'http'}://:${front} {
  bind 127.0.0.1
  ${secured ? `tls ${server} ${serverKey}` : ''}
  @canary header X-Canary true
  handle /admin* {
    request_header X-Area admin
    ${pass}
  }
  handle @canary {
    ${pass}
  }
  handle /health {
    ${pass}
  }
  handle /api* {
    ${pass}
  }
  handle {
    ${pass}
  }
}
`,
    )
    // One core, so one thread of Go: more would only wait for each other.
    return [
      {
        port: front,
        args: ['run', '--config', file, '--adapter', 'caddyfile'],
        env: { GOMAXPROCS: '1', HOME: this.#bench.folder },
      },
    ]
  }
}
