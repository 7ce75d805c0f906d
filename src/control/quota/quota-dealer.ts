// heddle.v1.QuotaService: hears what is asked of each proxy, and deals the rates of shared limits out to them.
import { X509Certificate } from 'node:crypto'

import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'

import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
import { DemandReportSchema, QuotaAssignmentSchema, QuotaService } from '../../contracts/xds/gen/heddle/v1/quota_pb.ts'
import type { DemandReport, QuotaAssignment } from '../../contracts/xds/gen/heddle/v1/quota_pb.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { allocate } from './allocation.ts'

export interface QuotaDealerOptions {
  readonly clock: Clock
  /** SPIFFE ID of each proxy that the mesh has, by node id. */
  readonly proxies: () => ReadonlyMap<string, string>
  readonly isRevoked: (spiffeId: string, notBeforeMs: number) => boolean
  /** Requests a second of each shared limit that the node has a part in, by name. */
  readonly limitsOf: (node: string) => ReadonlyMap<string, number>
}

type Call = ServerDuplexStream<DemandReport, QuotaAssignment>

/** So often shares are dealt out anew. */
export const dealIntervalMs = 1_000

export class QuotaDealer {
  readonly #options: QuotaDealerOptions
  /** What is asked of each process of each proxy, in requests a second by limit. */
  readonly #demands = new Map<Call, Map<string, number>>()
  /** Requests a second of the limits that somebody reports for. */
  readonly #rates = new Map<string, number>()
  #timer: Timer | undefined

  constructor(options: QuotaDealerOptions) {
    this.#options = options
  }

  /** For `grpc.Server.addService`. */
  service(): { readonly definition: ServiceDefinition; readonly implementation: UntypedServiceImplementation } {
    return {
      definition: { ReportDemand: method },
      implementation: { ReportDemand: (call: Call) => this.#accept(call) },
    }
  }

  /** Ends all streams; proxies go on with even shares, and come back. */
  stop(): void {
    this.#timer?.cancel()
    for (const call of this.#demands.keys()) call.end()
  }

  #accept(call: Call): void {
    const peer = call.getAuthContext().sslPeerCertificate
    const spiffeId = peer && spiffeIdOf(peer)
    const notBeforeMs =
      peer === undefined || spiffeId === undefined ? 0 : new X509Certificate(peer.raw).validFromDate.getTime()
    call.on('data', ({ node, demands }: DemandReport) => {
      if (spiffeId === undefined || this.#options.proxies().get(node) !== spiffeId) {
        const details = `${spiffeId ?? 'who shows no X.509-SVID'} may not report for ${JSON.stringify(node)}`
        call.emit('error', { code: status.PERMISSION_DENIED, details })
        return
      }
      if (this.#options.isRevoked(spiffeId, notBeforeMs)) {
        const details = `the X.509-SVID of ${spiffeId} was revoked: join again with a new token`
        call.emit('error', { code: status.PERMISSION_DENIED, details })
        return
      }
      const limits = this.#options.limitsOf(node)
      const before = this.#demands.get(call)
      const told = demands.filter(({ limit, perSecond }) => limits.has(limit) && perSecond >= 0 && perSecond < Infinity)
      this.#demands.set(call, new Map(told.map(({ limit, perSecond }) => [limit, perSecond])))
      for (const { limit } of told) this.#rates.set(limit, limits.get(limit) as number)
      // a newcomer has to know at once, and the others of it
      if (told.some(({ limit }) => before?.has(limit) !== true)) this.#deal()
      this.#timer ??= this.#options.clock.setTimer(dealIntervalMs, () => this.#tick())
    })
    const gone = (): void => void this.#demands.delete(call)
    call.on('end', () => call.end())
    call.on('cancelled', gone)
    call.on('close', gone)
    call.on('error', gone)
  }

  #tick(): void {
    this.#timer = undefined
    this.#deal()
    if (this.#demands.size > 0) this.#timer = this.#options.clock.setTimer(dealIntervalMs, () => this.#tick())
  }

  #deal(): void {
    const assignments = new Map<Call, { limit: string; share: number; fallbackShare: number }[]>()
    for (const [limit, perSecond] of this.#rates) {
      const calls = [...this.#demands.keys()].filter((call) => this.#demands.get(call)?.has(limit))
      if (calls.length === 0) this.#rates.delete(limit)
      const shares = allocate(
        perSecond,
        calls.map((call) => this.#demands.get(call)?.get(limit) ?? 0),
      )
      for (const [index, call] of calls.entries()) {
        const own = assignments.get(call) ?? []
        own.push({ limit, share: shares[index] as number, fallbackShare: 1 / calls.length })
        assignments.set(call, own)
      }
    }
    for (const [call, shares] of assignments) call.write(create(QuotaAssignmentSchema, { shares }))
  }
}

const method = {
  path: `/${QuotaService.typeName}/${QuotaService.method.reportDemand.name}`,
  requestStream: true,
  responseStream: true,
  requestSerialize: (message: DemandReport): Buffer => Buffer.from(toBinary(DemandReportSchema, message)),
  requestDeserialize: (bytes: Buffer): DemandReport => fromBinary(DemandReportSchema, bytes),
  responseSerialize: (message: QuotaAssignment): Buffer => Buffer.from(toBinary(QuotaAssignmentSchema, message)),
  responseDeserialize: (bytes: Buffer): QuotaAssignment => fromBinary(QuotaAssignmentSchema, bytes),
} as const
