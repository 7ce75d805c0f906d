// haproxy, one thread: HTTP/1.1 pools, or HTTP/2 between the two hops.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { freePorts } from '../../test/kit/free-ports.ts'
import type { Bench, Topology } from '../proxy-under-test.ts'
import { Peer, type PeerProcess } from './peer.ts'

const ciphers = 'TLS_AES_128_GCM_SHA256'

const base = `global
  nbthread 1
  maxconn 8000
  ssl-default-bind-ciphersuites ${ciphers}
  ssl-default-server-ciphersuites ${ciphers}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  http-reuse always
`

/** As many rules as Heddle's routes have, and the headers that a proxy of a mesh adds. */
const routes = `  acl admin path_beg /admin
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header Via "1.1 bench"
  http-request set-header X-Area admin if admin
  http-response set-header Via "1.1 bench"
  use_backend app if admin
  use_backend app if { hdr(x-canary) true }
  use_backend app if { path /health }
  use_backend app if { path_beg /api }
  default_backend app
`

export class Haproxy extends Peer {
  readonly #bench: Bench
  readonly #http2: boolean

  constructor(bench: Bench, http2: boolean) {
    super(http2 ? 'haproxy-h2' : 'haproxy', 'haproxy', http2 ? ['mtls-hops'] : ['plain-hop', 'mtls-hops'], bench)
    this.#bench = bench
    this.#http2 = http2
  }

  protected async processes(topology: Topology): Promise<readonly PeerProcess[]> {
    const { backends, certificates: certificate } = this.#bench
    const [front, back] = (await freePorts(2)) as [number, number]
    if (topology === 'plain-hop') {
      return [
        this.#process(
          front,
          'plain',
          `frontend f\n  bind 127.0.0.1:${front}\n${routes}backend app\n  server s 127.0.0.1:${backends.http} pool-max-conn -1\n`,
        ),
      ]
    }
    if (topology === 'mtls-hops') {
      const alpn = this.#http2 ? 'alpn h2 ' : ''
      return [
        this.#process(
          back,
          'in',
          `frontend f\n  bind 127.0.0.1:${back} ${alpn}ssl crt ${certificate.serverBundle} ca-file ${certificate.ca} verify required ssl-min-ver TLSv1.3\n` +
            `  http-request set-header X-Client-Cert %[ssl_c_s_dn(CN)]\n  http-request set-header Via "1.1 bench"\n  http-response set-header Via "1.1 bench"\n` +
            `  default_backend app\nbackend app\n  server s 127.0.0.1:${backends.http} pool-max-conn -1\n`,
        ),
        this.#process(
          front,
          'out',
          `frontend f\n  bind 127.0.0.1:${front}\n${routes}backend app\n  server s 127.0.0.1:${back} ${alpn}ssl verify required ca-file ${certificate.ca} ` +
            `crt ${certificate.clientBundle} verifyhost ${certificate.serverName} sni str(${certificate.serverName}) ssl-min-ver TLSv1.3 pool-max-conn -1\n`,
        ),
      ]
    }
    throw new Error(`no ${topology} with ${this.name}`)
  }

  #process(port: number, role: string, text: string): PeerProcess {
    const file = join(this.#bench.folder, `${this.name}-${role}.cfg`)
    writeFileSync(file, base + text)
    return { port, args: ['-db', '-f', file] }
  }
}
