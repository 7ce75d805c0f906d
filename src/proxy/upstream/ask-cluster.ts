// One small request to a cluster and its whole answer: for what the proxy itself has to ask.
import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { HttpProtocol } from '../codec/http-stream.ts'
import { Attempt, type AttemptDeps, type AttemptFailure } from './attempt.ts'

export interface WholeAnswer {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Buffer
  readonly trailers: HeaderList
}

export interface Question {
  readonly head: RequestHead
  readonly body: Buffer
  /** What to speak where the cluster leaves it open. */
  readonly spoken: HttpProtocol
}

/** What a request is told that runs into the limit of its cluster. */
export const tooManyRequests = 'has as many requests under way as its circuit breaker allows'

/** A larger answer is none. */
const maxAnswerBytes = 65_536

class Unanswered extends Error {
  readonly failure: AttemptFailure
  /** On a connection that had been idle: the server may have closed it while the request was on its way. */
  readonly reused: boolean

  constructor(failure: AttemptFailure, reused: boolean) {
    super(failure.message)
    this.failure = failure
    this.reused = reused
  }
}

/** Rejects when there is no whole answer; `signal`: nobody waits for one any more. */
export async function askCluster(
  deps: AttemptDeps,
  cluster: Cluster,
  question: Question,
  signal: AbortSignal,
): Promise<WholeAnswer> {
  try {
    return await askOnce(deps, cluster, question, signal, false)
  } catch (error) {
    if (!(error instanceof Unanswered) || !error.reused || error.failure.responseBegun) throw error
    return askOnce(deps, cluster, question, signal, true)
  }
}

function askOnce(
  deps: AttemptDeps,
  cluster: Cluster,
  { head, body, spoken }: Question,
  signal: AbortSignal,
  fresh: boolean,
): Promise<WholeAnswer> {
  if (!cluster.allowsRequest()) return Promise.reject(new Error(`${cluster.config.name} ${tooManyRequests}`))
  const endpoint = cluster.pick(undefined)
  if (endpoint === undefined) return Promise.reject(new Error(`${cluster.config.name} has no endpoint`))
  const { promise, resolve, reject } = Promise.withResolvers<WholeAnswer>()
  const chunks: Buffer[] = []
  let length = 0
  let status = 0
  let headers = new HeaderList()
  const outgoing = { head: { ...head, headers: head.headers.clone() }, length: body.length, upgrade: undefined }
  const attempt: Attempt = new Attempt(deps, cluster, endpoint, spoken, outgoing, {
    attemptReady() {},
    attemptSlow() {},
    attemptConnected(stream) {
      if (body.length > 0) stream.sendData(body)
      if (body.length > 0) stream.sendEnd()
    },
    attemptInformational() {},
    attemptHead(answered) {
      status = answered.status
      headers = answered.headers
    },
    attemptData(bytes) {
      length += bytes.length
      chunks.push(Buffer.from(bytes))
      if (length <= maxAnswerBytes) return
      attempt.cancel()
      reject(new Error(`the answer is larger than ${maxAnswerBytes} bytes`))
    },
    attemptEnd(trailers = new HeaderList()) {
      resolve({ status, headers, body: Buffer.concat(chunks), trailers })
    },
    attemptDrain() {},
    attemptFailed(failure) {
      reject(new Unanswered(failure, attempt.reusedConnection))
    },
  })
  const giveUp = (): void => {
    attempt.cancel()
    reject(new Error('nobody waits for the answer'))
  }
  signal.addEventListener('abort', giveUp)
  if (signal.aborted) giveUp()
  else attempt.start(Infinity, fresh)
  return promise.finally(() => signal.removeEventListener('abort', giveUp))
}
