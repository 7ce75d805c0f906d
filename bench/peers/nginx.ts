// nginx, one worker.
import { mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

import { freePorts } from '../../test/kit/free-ports.ts'
import type { Bench, Topology } from '../proxy-under-test.ts'
import { Peer, type PeerProcess } from './peer.ts'

const forward = `
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header Via "1.1 bench";
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto http; add_header Via "1.1 bench";`
const forwardGrpc = `grpc_set_header Via "1.1 bench"; grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for; add_header Via "1.1 bench";`

/** HTTP/1.1 with keep-alive pools, `grpc_pass` for gRPC. */
export class Nginx extends Peer {
  readonly #bench: Bench

  constructor(bench: Bench) {
    super('nginx', 'nginx', ['plain-hop', 'mtls-hops', 'grpc-hops', 'tls-front', 'memory'], bench)
    this.#bench = bench
  }

  protected async processes(topology: Topology): Promise<readonly PeerProcess[]> {
    const { backends, certificates: certificate } = this.#bench
    const [front, back] = (await freePorts(2)) as [number, number]
    const identity = `ssl_certificate ${certificate.server}; ssl_certificate_key ${certificate.serverKey}; ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;`
    const mutual = `${identity} ssl_client_certificate ${certificate.ca}; ssl_verify_client on;`
    const towards = (module: 'proxy' | 'grpc'): string =>
      `${module}_ssl_certificate ${certificate.client}; ${module}_ssl_certificate_key ${certificate.clientKey};
    ${module}_ssl_verify on; ${module}_ssl_trusted_certificate ${certificate.ca}; ${module}_ssl_name ${certificate.serverName};
    ${module}_ssl_server_name on; ${module}_ssl_protocols TLSv1.3;`
    const plain = `listen 127.0.0.1:${front}`
    const secured = `listen 127.0.0.1:${back} ssl`
    const application = upstream(backends.http)
    if (topology === 'mtls-hops')
      return [
        this.#process(
          back,
          'in',
          application,
          `${secured}; ${mutual} ${forward} location / { proxy_pass http://app; }`,
        ),
        this.#process(front, 'out', upstream(back), `${plain}; ${forward} ${towards('proxy')} ${routes('https')}`),
      ]
    if (topology === 'grpc-hops')
      return [
        this.#process(
          back,
          'grpc-in',
          upstream(backends.grpc),
          `${secured} http2; ${mutual} ${forwardGrpc} ${grpcPass('grpc')}`,
        ),
        this.#process(
          front,
          'grpc-out',
          upstream(back),
          `${plain} http2; ${forwardGrpc} ${towards('grpc')} ${grpcPass('grpcs')}`,
        ),
      ]
    const listen = topology === 'tls-front' ? `${plain} ssl; ${identity}` : `${plain};`
    return [this.#process(front, topology, application, `${listen} ${forward} ${routes('http')}`)]
  }

  #process(port: number, role: string, upstreams: string, server: string): PeerProcess {
    const folder = join(this.#bench.folder, `nginx-${role}`)
    mkdirSync(folder, { recursive: true })
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
      .join(' ')
    const file = join(folder, 'nginx.conf')
    writeFileSync(
      file,
      `user ${userInfo().username}; worker_processes 1; daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 100000000; ${temporary}
  ${upstreams}
  server { ${server} }
}
`,
    )
    return { port, args: ['-c', file] }
  }
}

function upstream(port: number): string {
  return `upstream app { server 127.0.0.1:${port}; keepalive 1024; keepalive_requests 100000000; }`
}

/** As many rules as Heddle's routes have. */
function routes(scheme: string): string {
  const pass = `proxy_pass ${scheme}://app;`
  return `location /admin { ${forward} proxy_set_header X-Area admin; ${pass} } location = /health { ${pass} } location /api { ${pass} } location / { ${pass} }`
}

function grpcPass(scheme: string): string {
  return `location / { grpc_pass ${scheme}://app; }`
}
