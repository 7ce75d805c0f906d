// The SPIFFE bundle endpoint (profile https_spiffe): gives the mesh's trust bundle to whoever asks. No certificate is asked for; there is no secret.
import { createServer } from 'node:https'
import type { Server } from 'node:https'
import { isDeepStrictEqual } from 'node:util'

import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { FederationSpec } from '../../policies/federation/federation.spec.ts'
import type { Authority } from '../authority/authority.ts'
import type { OwnBundle } from './own-bundle.ts'

export interface BundleServerOptions {
  readonly authority: Pick<Authority, 'issueServerSvid' | 'trustFingerprint'>
  readonly bundle: OwnBundle
  readonly clock: Clock
  readonly logger: Logger
}

type Where = FederationSpec['bundleEndpoint']

const retryMs = 1_000
const maxConnections = 256

export class BundleServer {
  readonly #options: BundleServerOptions
  readonly #unsubscribe: () => void
  #where: Where
  #server: Server | undefined
  #retry: Timer | undefined
  #renewal: Timer | undefined
  #fault: string | undefined

  constructor(options: BundleServerOptions) {
    this.#options = options
    this.#unsubscribe = options.authority.trustFingerprint.subscribe(() => this.#renew())
  }

  /** Why nobody can ask, though somebody should be able to. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Opens, moves or closes. */
  follow(where: Where): void {
    const [before, next] = [this.#where, where].map((one) => one && { address: one.address, port: one.port })
    this.#where = where
    if (isDeepStrictEqual(before, next)) return
    this.#close()
    if (where !== undefined) this.#open(where)
  }

  stop(): void {
    this.#unsubscribe()
    this.#close()
  }

  #close(): void {
    this.#retry?.cancel()
    this.#renewal?.cancel()
    this.#server?.close()
    this.#server?.closeAllConnections()
    this.#server = undefined
    this.#fault = undefined
  }

  #open(where: NonNullable<Where>): void {
    const { bundle, clock, logger } = this.#options
    const { address: host, port } = where
    const timeouts = { headersTimeout: 5_000, requestTimeout: 5_000, keepAliveTimeout: 1_000, maxHeaderSize: 8 * 1024 }
    const server = createServer({ minVersion: 'TLSv1.2', handshakeTimeout: 5_000, ...timeouts })
    server.maxConnections = maxConnections
    this.#server = server
    server.on('request', ({ method, url }, response) => {
      if (url !== '/' || (method !== 'GET' && method !== 'HEAD')) {
        response.writeHead(url === '/' ? 405 : 404, { connection: 'close' }).end()
        return
      }
      const body = JSON.stringify(bundle.current())
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      response.end(method === 'HEAD' ? undefined : body)
    })
    server.on('error', (error) => {
      if (server !== this.#server || server.listening) return
      const fault = errorMessage(error)
      if (fault !== this.#fault) logger.error('the bundle endpoint cannot listen', { host, port, reason: fault })
      this.#fault = fault
      this.#retry = clock.setTimer(retryMs, () => this.#open(where))
    })
    server.on('listening', () => {
      this.#fault = undefined
      logger.info('bundle endpoint serves', { host, port })
    })
    this.#renew()
    server.listen({ host, port })
  }

  /** Open connections go on with the certificate that they have seen. */
  #renew(): void {
    const { authority, clock, logger } = this.#options
    if (this.#server === undefined) return
    this.#renewal?.cancel()
    let inMs = retryMs
    try {
      const { certificateChainPem, privateKeyPem, notAfterMs } = authority.issueServerSvid()
      this.#server.setSecureContext({ cert: certificateChainPem, key: privateKeyPem })
      inMs = Math.max(retryMs, (notAfterMs - clock.nowMs()) / 2)
    } catch (error) {
      logger.error("the bundle endpoint's certificate could not be renewed", { reason: errorMessage(error) })
    }
    this.#renewal = clock.setTimer(inMs, () => this.#renew())
  }
}
