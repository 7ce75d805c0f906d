// One message of OTLP from the control plane to a collector outside the mesh, in plaintext, by OTLP/gRPC or OTLP/HTTP.
import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'

import { Client, credentials } from '@grpc/grpc-js'

import { hostPort } from '../../contracts/xds/names.ts'
import type { Clock } from '../../core/clock.ts'
import type { OtlpSignal } from '../../policies/otlp.xds.ts'
import type { TraceCollectorSpec } from '../../policies/tracing/tracing.spec.ts'

export interface CollectorAddress {
  readonly host: string
  readonly port: number
}

/** A larger answer is none. */
const mostAnswerBytes = 65_536

/** Rejects when the collector has not taken it. Resolves with how many items it has refused. */
export async function sendOtlp(
  clock: Clock,
  { host, port }: CollectorAddress,
  signal: OtlpSignal,
  { cluster, path, timeoutMs }: TraceCollectorSpec,
  message: Uint8Array,
): Promise<number> {
  if (path === undefined) {
    const deadline = clock.nowMs() + timeoutMs
    return signal.rejected(await askGrpc(hostPort(host, port), signal.grpcPath, deadline, message))
  }
  const abort = AbortSignal.timeout(timeoutMs)
  const headers = { host: cluster, 'content-type': 'application/x-protobuf', 'content-length': message.length }
  const outgoing = request({ host, port, path, method: 'POST', agent: false, headers, signal: abort })
  outgoing.end(message)
  const [answer] = (await once(outgoing, 'response', { signal: abort })) as [IncomingMessage]
  const { statusCode = 0 } = answer
  const body = await bodyOf(answer)
  if (statusCode < 200 || statusCode > 299) throw new Error(`the collector answered with status ${statusCode}`)
  return signal.rejected(body)
}

async function bodyOf(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > mostAnswerBytes) throw new Error(`the answer is larger than ${mostAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** A channel a message: there is one message in many seconds. */
async function askGrpc(address: string, path: string, deadline: number, message: Uint8Array): Promise<Buffer> {
  const client = new Client(address, credentials.createInsecure())
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(path, asBuffer, asBuffer, message, { deadline }, (error, answer) => {
        if (error === null && answer !== undefined) resolve(answer)
        else reject(error ?? new Error('there is no answer'))
      })
    })
  } finally {
    client.close()
  }
}

function asBuffer(message: Uint8Array): Buffer {
  return Buffer.from(message)
}
