// heddle.v1.CertificateService.WatchTrust: which certificates and revocations the connected proxies have in force; who is asked to renew before
// its time, and told what is revoked.
import { X509Certificate } from 'node:crypto'

import { fromBinary, toBinary, create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'

import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
import {
  CertificateService,
  TrustReportSchema,
  TrustUpdateSchema,
} from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { TrustReport, TrustUpdate } from '../../contracts/xds/gen/heddle/v1/certificate_pb.ts'
import type { Authority } from './authority.ts'
import { encodeRevocations } from './encode-revocations.ts'
import type { Revocations } from './revocations.ts'

export interface TrustWatchOptions {
  readonly authority: Pick<Authority, 'trustFingerprint'> & {
    readonly revocations: Pick<Revocations, 'list' | 'refusesCertificate'>
  }
  /** SPIFFE ID of each proxy that the mesh has, by node id. */
  readonly proxies: () => ReadonlyMap<string, string>
  readonly svidLifetimeMs: () => number
  /** Somebody came, went, or reported. */
  readonly changed: () => void
}

type Call = ServerDuplexStream<TrustReport, TrustUpdate>

/** Proxies that are asked at once do not all come at once: a signature and its connection take a few milliseconds. */
const spreadPerProxyMs = 20
/** Of an SVID's life. */
const mostSpreadShare = 1 / 4

export class TrustWatch {
  readonly #options: TrustWatchOptions
  readonly #streams = new Map<Call, TrustReport>()
  readonly #byNode = new Map<string, Set<Call>>()
  readonly #unsubscribe: readonly (() => void)[]

  constructor(options: TrustWatchOptions) {
    this.#options = options
    const { trustFingerprint, revocations } = options.authority
    const tell = (): void => {
      for (const [call, report] of this.#streams) this.#tellUnlessCurrent(call, report)
    }
    this.#unsubscribe = [trustFingerprint.subscribe(tell), revocations.list.subscribe(tell)]
  }

  /** For `grpc.Server.addService`, beside the rest of the service. */
  service(): { readonly definition: ServiceDefinition; readonly implementation: UntypedServiceImplementation } {
    return { definition: { WatchTrust: method }, implementation: { WatchTrust: (call: Call) => this.#accept(call) } }
  }

  /** Of all its processes; one that is not connected is not current. */
  isCurrent(node: string): boolean {
    return this.#allReport(node, (report) => this.#isCurrent(report))
  }

  /** Of all its processes: whether they refuse what is revoked. */
  refusesRevoked(node: string): boolean {
    const { version } = this.#options.authority.revocations.list.value
    return this.#allReport(node, ({ revocationsVersion }) => revocationsVersion === BigInt(version))
  }

  /** A process that has not come back yet, after the control plane was away, may hold what it held before. */
  #allReport(node: string, holds: (report: TrustReport) => boolean): boolean {
    const reports = [...(this.#byNode.get(node) ?? [])].map((call) => this.#streams.get(call) as TrustReport)
    const processes = Math.max(1, ...reports.map((report) => report.processes))
    return reports.length >= processes && reports.every(holds)
  }

  /** Ends all streams; proxies come back. */
  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    for (const call of this.#streams.keys()) call.end()
  }

  #accept(call: Call): void {
    const peer = call.getAuthContext().sslPeerCertificate
    const spiffeId = peer && spiffeIdOf(peer)
    call.on('data', (report: TrustReport) => {
      const { node } = report
      if (call.writableEnded) return
      if (spiffeId === undefined || this.#options.proxies().get(node) !== spiffeId) {
        const details = `${spiffeId ?? 'who shows no X.509-SVID'} may not report for ${JSON.stringify(node)}`
        call.emit('error', { code: status.PERMISSION_DENIED, details })
        return
      }
      this.#forget(call)
      this.#streams.set(call, report)
      let calls = this.#byNode.get(node)
      if (calls === undefined) this.#byNode.set(node, (calls = new Set()))
      calls.add(call)
      this.#tellUnlessCurrent(call, report)
      this.#options.changed()
    })
    const gone = (): void => {
      if (this.#forget(call)) this.#options.changed()
    }
    call.on('end', () => call.end())
    call.on('cancelled', gone)
    call.on('close', gone)
    call.on('error', gone)
  }

  #forget(call: Call): boolean {
    const known = this.#streams.get(call)
    if (known === undefined) return false
    this.#streams.delete(call)
    const calls = this.#byNode.get(known.node)
    calls?.delete(call)
    if (calls?.size === 0) this.#byNode.delete(known.node)
    return true
  }

  #isCurrent({ trustFingerprint }: TrustReport): boolean {
    return trustFingerprint === this.#options.authority.trustFingerprint.value
  }

  #tellUnlessCurrent(call: Call, report: TrustReport): void {
    const list = this.#options.authority.revocations.list.value
    const knows = report.revocationsVersion === BigInt(list.version)
    // it was told why, and joins anew
    const isRevoked = this.#isRevoked(call)
    const isCurrent = this.#isCurrent(report) && !isRevoked
    if (!knows || !isCurrent) {
      call.write(
        create(TrustUpdateSchema, {
          renewWithinMs: isCurrent ? 0 : this.#spreadMs(),
          ...(!knows && { revocations: encodeRevocations(list) }),
        }),
      )
    }
    if (isRevoked) call.end()
  }

  #spreadMs(): number {
    const mostMs = this.#options.svidLifetimeMs() * mostSpreadShare
    return Math.round(Math.min(mostMs, this.#streams.size * spreadPerProxyMs))
  }

  #isRevoked(call: Call): boolean {
    const peer = call.getAuthContext().sslPeerCertificate
    const spiffeId = peer && spiffeIdOf(peer)
    if (peer === undefined || spiffeId === undefined) return false
    return this.#options.authority.revocations.refusesCertificate(
      spiffeId,
      new X509Certificate(peer.raw).validFromDate.getTime(),
    )
  }
}

const method = {
  path: `/${CertificateService.typeName}/${CertificateService.method.watchTrust.name}`,
  requestStream: true,
  responseStream: true,
  requestSerialize: (message: TrustReport): Buffer => Buffer.from(toBinary(TrustReportSchema, message)),
  requestDeserialize: (bytes: Buffer): TrustReport => fromBinary(TrustReportSchema, bytes),
  responseSerialize: (message: TrustUpdate): Buffer => Buffer.from(toBinary(TrustUpdateSchema, message)),
  responseDeserialize: (bytes: Buffer): TrustUpdate => fromBinary(TrustUpdateSchema, bytes),
} as const
