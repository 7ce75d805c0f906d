// haproxy, one thread.
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

const ownHeaders = `  http-request set-header Via "1.1 bench"
  http-response set-header Via "1.1 bench"
`

/** HTTP/1.1 everywhere, or HTTP/2 between the hops. */
export class Haproxy extends Peer {
  readonly #bench: Bench
  readonly #http2: boolean

  constructor(bench: Bench, http2: boolean) {
    const served: readonly Topology[] = http2
      ? ['mtls-hops', 'grpc-hops']
      : ['plain-hop', 'mtls-hops', 'tcp-hop', 'tls-front', 'memory']
    super(http2 ? 'haproxy-h2' : 'haproxy', 'haproxy', served, bench)
    this.#bench = bench
    this.#http2 = http2
  }

  protected async processes(topology: Topology): Promise<readonly PeerProcess[]> {
    const { backends, certificates } = this.#bench
    const [front, back] = (await freePorts(2)) as [number, number]
    const tls = topology === 'tls-front' ? `ssl crt ${certificates.serverBundle} ssl-min-ver TLSv1.3` : ''
    if (topology === 'mtls-hops') return this.#twoHops(front, back, '', backend(backends.http))
    if (topology === 'grpc-hops') return this.#twoHops(front, back, 'proto h2', backend(backends.grpc, 'proto h2'))
    const text =
      topology === 'tcp-hop'
        ? `listen l\n  mode tcp\n  bind 127.0.0.1:${front}\n  server s 127.0.0.1:${backends.tcp}\n`
        : `${frontend(front, tls)}${routes}${backend(backends.http)}`
    return [this.#process(front, topology, text)]
  }

  #twoHops(front: number, back: number, fromClient: string, application: string): readonly PeerProcess[] {
    const { ca, clientBundle, serverBundle, serverName } = this.#bench.certificates
    const alpn = this.#http2 ? 'alpn h2 ' : ''
    const inbound = `${alpn}ssl crt ${serverBundle} ca-file ${ca} verify required ssl-min-ver TLSv1.3`
    const outbound =
      `${alpn}ssl verify required ca-file ${ca} crt ${clientBundle} verifyhost ${serverName} sni str(${serverName}) ` +
      `ssl-min-ver TLSv1.3`
    const caller = '  http-request set-header X-Client-Cert %[ssl_c_s_dn(CN)]\n'
    return [
      this.#process(
        back,
        'in',
        `${frontend(back, inbound)}${caller}${ownHeaders}  default_backend app\n${application}`,
      ),
      this.#process(front, 'out', `${frontend(front, fromClient)}${routes}${backend(back, outbound)}`),
    ]
  }

  #process(port: number, role: string, text: string): PeerProcess {
    const file = join(this.#bench.folder, `${this.name}-${role}-${port}.cfg`)
    writeFileSync(file, base + text)
    return { port, args: ['-db', '-f', file] }
  }
}

function frontend(port: number, options = ''): string {
  return `frontend f\n  bind 127.0.0.1:${port} ${options}\n`
}

function backend(port: number, options = ''): string {
  return `backend app\n  server s 127.0.0.1:${port} ${options} pool-max-conn -1\n`
}
