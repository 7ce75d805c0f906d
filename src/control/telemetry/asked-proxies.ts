// heddle.v1.HeldRecordsService: when a proxy has told of a request, all are asked for the hops of it that saw nothing wrong; each may speak of itself alone.
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import type { ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'

import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { AskedRequestsSchema, HeldRecordsService } from '../../contracts/xds/gen/heddle/v1/held_records_pb.ts'
import type { AskedRequests, HeldRecords } from '../../contracts/xds/gen/heddle/v1/held_records_pb.ts'
import { grpcMethod } from '../../contracts/xds/grpc-method.ts'
import type { Clock } from '../../core/clock.ts'
import { requestIds } from '../../policies/access-log/streamed-record.xds.ts'
import { receiveRecord } from './received-record.ts'
import { ReportingPeer } from './reporting-proxy.ts'
import type { Reporter, ReportingProxies } from './reporting-proxy.ts'

export interface AskedProxiesOptions extends ReportingProxies {
  readonly clock: Clock
  /** Takes what proxies answer. */
  readonly complete: (record: DecisionRecord) => void
}

type Call = ServerDuplexStream<HeldRecords, AskedRequests>

/**
 * A hop that ends more than a second after the one that told is slow: it will tell itself, and all are asked again. Those that are not have ended by then.
 */
const askAfterMs = 1_000
const intervalMs = 250
/** Ids that wait to be asked for. */
const mostIds = 200
const longestId = 256
const method = grpcMethod(HeldRecordsService.method.tellHeldRecords)

export class AskedProxies {
  readonly #options: AskedProxiesOptions
  /** Those that have said who they are. */
  readonly #calls = new Set<Call>()
  /** When to ask, by id. */
  readonly #due = new Map<string, number>()
  #waiting = false

  constructor(options: AskedProxiesOptions) {
    this.#options = options
  }

  /** For `grpc.Server.addService`. */
  service(): { readonly definition: ServiceDefinition; readonly implementation: UntypedServiceImplementation } {
    return {
      definition: { TellHeldRecords: method },
      implementation: { TellHeldRecords: (call: Call) => this.#accept(call) },
    }
  }

  /** A proxy has told of a request. */
  told(record: DecisionRecord): void {
    if (isSampled(record)) return
    const dueMs = this.#options.clock.monotonicMs() + askAfterMs
    for (const id of requestIds(record))
      if (id.length <= longestId && this.#due.size < mostIds && !this.#due.has(id)) this.#due.set(id, dueMs)
    this.#wait()
  }

  #wait(): void {
    if (this.#waiting || this.#due.size === 0) return
    this.#waiting = true
    this.#options.clock.setTimer(intervalMs, () => {
      this.#waiting = false
      this.#ask()
      this.#wait()
    })
  }

  #ask(): void {
    const nowMs = this.#options.clock.monotonicMs()
    const ids = [...this.#due].filter(([, dueMs]) => dueMs <= nowMs).map(([id]) => id)
    for (const id of ids) this.#due.delete(id)
    if (ids.length > 0) for (const call of this.#calls) call.write(create(AskedRequestsSchema, { ids }))
  }

  #accept(call: Call): void {
    const peer = new ReportingPeer(call, this.#options)
    let reporter: Reporter | undefined
    const refuse = (details: string): void => void call.emit('error', { code: status.PERMISSION_DENIED, details })
    call.on('data', ({ node, entries }: HeldRecords) => {
      if (reporter === undefined) {
        const introduced = peer.introduce(node)
        if (typeof introduced === 'string') return refuse(introduced)
        reporter = introduced
        this.#calls.add(call)
      }
      const refusal = peer.refusal()
      if (refusal !== undefined) return refuse(refusal)
      for (const entry of entries) {
        const record = receiveRecord(entry, reporter)
        if (record !== undefined) this.#options.complete(record)
      }
    })
    const gone = (): void => void this.#calls.delete(call)
    call.on('end', () => call.end())
    call.on('cancelled', gone)
    call.on('close', gone)
    call.on('error', gone)
  }
}

/** Each of its hops tells by itself. */
function isSampled({ trace, request: { headers } }: DecisionRecord): boolean {
  return trace !== undefined && (Number.parseInt(headers['traceparent']?.slice(-2) ?? '0', 16) & 1) === 1
}
