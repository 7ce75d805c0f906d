// A control plane with nothing but its identity part: authority, join tokens and certificate service, over real gRPC and TLS.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Server, status } from '@grpc/grpc-js'
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'

import { controlPlaneSpiffeId } from '../../src/contracts/identity/control-plane-identity.ts'
import { createAuthority } from '../../src/control/authority/authority.ts'
import type { RotatableAuthority } from '../../src/control/authority/authority.ts'
import { createCertificateService } from '../../src/control/authority/certificate-service.ts'
import { createJoinTokenAttestor } from '../../src/control/authority/join-token-attestor.ts'
import { createJoinTokens } from '../../src/control/authority/join-tokens.ts'
import type { JoinGrant, JoinTokens } from '../../src/control/authority/join-tokens.ts'
import { createJwtAuthority } from '../../src/control/authority/jwt-authority.ts'
import { createJwtService } from '../../src/control/authority/jwt-service.ts'
import { createControlPlaneServerCredentials } from '../../src/control/authority/server-credentials.ts'
import { createSvidAttestor } from '../../src/control/authority/svid-attestor.ts'
import { openSqliteStore } from '../../src/control/store/sqlite-store.ts'
import { ControlPlaneMetrics } from '../../src/control/telemetry/control-plane-metrics.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { Logger } from '../../src/core/logger.ts'
import { createSystemRandom } from '../../src/core/random.ts'
import { createCertificateClient } from '../../src/proxy/identity/certificate-client.ts'
import { createIdentityAgent } from '../../src/proxy/identity/identity-agent.ts'
import type { IdentityAgent } from '../../src/proxy/identity/identity-agent.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import { freePorts } from './free-ports.ts'
import { rawUnary } from './raw-unary.ts'

export const trustDomain = 'mesh.local'
export const web: string = `spiffe://${trustDomain}/ns/default/sa/web`
export const payment: string = `spiffe://${trustDomain}/ns/default/sa/payment`

export interface IdentityPlane {
  readonly authority: RotatableAuthority
  readonly tokens: JoinTokens
  /** Of the tokens that let somebody in. */
  readonly used: readonly JoinGrant[]
  readonly metrics: ControlPlaneMetrics
  readonly port: number
  readonly address: string
  /** Everything either side logged, as text. */
  readonly log: string[]
  /** Kills all connections and frees the port. */
  stop(): Promise<void>
}

export interface PlaneOptions {
  readonly stateDir: string
  readonly svidLifetimeMs?: () => number
  readonly port?: number
  readonly authorizedIdentity?: (spiffeId: string, proxy: string | undefined) => boolean
  readonly log?: string[]
}

export function temporaryStateDir(after: (undo: () => void) => void): string {
  const stateDir = mkdtempSync(join(tmpdir(), 'heddle-identity-'))
  after(() => rmSync(stateDir, { recursive: true, force: true }))
  return stateDir
}

export async function startIdentityPlane(options: PlaneOptions): Promise<IdentityPlane> {
  const log = options.log ?? []
  const logger = recordingLogger(log)
  const clock = systemClock
  const store = openSqliteStore({ file: join(options.stateDir, 'heddle.db'), clock, logger })
  const svidLifetimeMs = options.svidLifetimeMs ?? ((): number => 3_600_000)
  const authority = createAuthority({ stateDir: options.stateDir, trustDomain, clock, svidLifetimeMs })
  const tokens = createJoinTokens({ store, clock })
  const authorizedIdentity = options.authorizedIdentity ?? ((): boolean => true)
  const used: JoinGrant[] = []
  const { revocations } = authority
  const metrics = new ControlPlaneMetrics(logger)
  const attestors = [
    createJoinTokenAttestor({ tokens, revocations, used: (grant) => used.push(grant) }),
    createSvidAttestor(clock, revocations),
  ]
  const attestation = { attestors, authorizedIdentity, metrics, logger }
  const service = createCertificateService({ authority, ...attestation })
  const tls = createControlPlaneServerCredentials({ authority, clock, logger })
  const server = new Server()
  server.addService(service.definition, service.implementation)
  const jwtAuthority = createJwtAuthority({ stateDir: options.stateDir, clock, svidLifetimeMs, logger })
  const jwts = createJwtService({ authority: jwtAuthority, ...attestation })
  server.addService(jwts.definition, jwts.implementation)
  server.addService(whoAmI, whoAmIImplementation)
  // one that can be had again: the kernel gives those of port 0 to outgoing connections, too
  const [port = 0] = options.port === undefined ? await freePorts(1) : [options.port]
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, tls.credentials, (error) => (error === null ? resolve() : reject(error)))
  })
  return {
    authority,
    tokens,
    used,
    metrics,
    port,
    address: `127.0.0.1:${port}`,
    log,
    async stop() {
      tls.stop()
      server.forceShutdown()
      await store.close()
    },
  }
}

export interface AgentOptions {
  readonly address: () => string
  readonly trustBundleFile: string
  readonly token: () => Promise<string>
  readonly spiffeId?: string
  readonly log?: string[]
}

/** The proxy's side, with every credential it ever had. */
export function startAgent(options: AgentOptions): IdentityAgent & { readonly had: TlsCredentials[] } {
  const agent = createIdentityAgent({
    spiffeId: options.spiffeId ?? web,
    sign: (csrDer, proof) =>
      createCertificateClient({
        address: options.address(),
        trustBundleFile: options.trustBundleFile,
        controlPlaneSpiffeId: controlPlaneSpiffeId(trustDomain),
        clock: systemClock,
      })(csrDer, proof),
    token: options.token,
    clock: systemClock,
    random: createSystemRandom(),
    logger: recordingLogger(options.log ?? []),
  })
  const had: TlsCredentials[] = []
  agent.credentials.subscribe((credentials) => {
    if (credentials !== undefined) had.push(credentials)
  })
  agent.start()
  return Object.assign(agent, { had })
}

export function recordingLogger(log: string[]): Logger {
  const write =
    (level: string) =>
    (message: string, fields: object = {}): void => {
      log.push(`${level} ${message} ${JSON.stringify(fields)}`)
    }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => recordingLogger(log),
  }
}

/** Tells a client who the server takes it for: the names in its verified certificate. */
export const whoAmIPath = '/test.Identity/WhoAmI'
const whoAmI = { WhoAmI: rawUnary(whoAmIPath) } as const
const whoAmIImplementation = {
  WhoAmI(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
    const names = call.getAuthContext().sslPeerCertificate?.subjectaltname
    if (names === undefined) callback({ code: status.UNAUTHENTICATED, details: 'nobody' })
    else callback(null, Buffer.from(names))
  },
}
