// How a request ended: its status, and what proxies flagged.
import type { DecisionRecord, ResponseFlag } from '../../../src/contracts/decision-record.ts'

export function Status({
  request: { status, grpcStatus, flags },
}: {
  readonly request: Pick<DecisionRecord['response'], 'status' | 'grpcStatus' | 'flags'>
}) {
  const kind = status === 0 || status >= 500 ? 'bad' : status >= 400 ? 'refused' : 'ok'
  return (
    <span className="codes">
      <span className={`code ${kind}`}>{status === 0 ? 'none' : status}</span>
      {grpcStatus !== undefined && <span className="code">gRPC {grpcStatus}</span>}
      {flags.map((flag) => (
        <span key={flag} className="code refused" title={flagMeanings[flag]}>
          {flag}
        </span>
      ))}
    </span>
  )
}

const flagMeanings: Readonly<Record<ResponseFlag, string>> = {
  NR: 'no route',
  NC: 'no cluster',
  UH: 'no healthy endpoint',
  UF: 'the connection to the endpoint failed',
  UC: 'the endpoint ended the connection',
  UT: 'the endpoint took too long',
  URX: 'retries are used up',
  UO: 'a circuit breaker was at its limit',
  DC: 'the caller went away',
  DPE: 'the caller broke the protocol',
  UPE: 'the endpoint broke the protocol',
  UAEX: 'refused by an authorization policy',
  RL: 'beyond a rate limit',
  RLSE: 'the rate limit server gave no answer',
  FI: 'a fault was injected',
  DI: 'a delay was injected',
  SI: 'idle for too long',
  LR: 'reset here',
}
