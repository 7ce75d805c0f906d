// A decision record as a source sidecar makes it; tests change what they speak of.
import type { DecisionRecord } from '../../src/contracts/decision-record.ts'
import { toDecisionRecord } from '../../src/proxy/telemetry/decision-records.ts'
import { sampleExchange } from './sample-exchange.ts'

export function sampleRecord(changes: Partial<DecisionRecord> = {}): DecisionRecord {
  const identity = { workload: 'default/web', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }
  return { ...toDecisionRecord(sampleExchange(), identity, 'id-1', 1_700_000_000_000), ...changes }
}
