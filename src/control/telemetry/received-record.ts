// A decision record as a proxy sent it, checked, and about nobody but that proxy.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { HTTPAccessLogEntry } from '../../contracts/xds/gen/envoy/data/accesslog/v3/accesslog_pb.ts'
import { decodeStreamedRecord } from '../../policies/access-log/streamed-record.xds.ts'
import { decisionRecord } from './record-schema.ts'
import type { Reporter } from './reporting-proxy.ts'

/** Undefined: it is none. */
export function receiveRecord(entry: HTTPAccessLogEntry, reporter: Reporter): DecisionRecord | undefined {
  const { data } = decisionRecord.safeParse(decodeStreamedRecord(entry))
  return data === undefined ? undefined : ofReporter(data, reporter)
}

/** What a proxy says of itself is known: it is not taken from its record. */
function ofReporter(record: DecisionRecord, { kind, name, spiffeId }: Reporter): DecisionRecord {
  const own = { workload: name, principal: spiffeId }
  if (record.reporter === 'destination' && kind === 'sidecar')
    return { ...record, proxy: name, destination: { ...record.destination, ...own } }
  const reporter = kind === 'gateway' ? 'gateway' : 'source'
  return { ...record, reporter, proxy: name, source: { ...record.source, ...own } }
}
