// Takes money, sometimes slowly, sometimes not at all: $LATENCY_MS (most of it) and $FAILURE_RATE (0 to 1) say how much.
import { setTimeout as wait } from 'node:timers/promises'

import { Refusal, serve } from './serve.ts'

export interface Charge {
  readonly id: string
  readonly cents: number
}

const latencyMs = Number(process.env['LATENCY_MS'] ?? 20)
const failureRate = Number(process.env['FAILURE_RATE'] ?? 0.02)
const remembered = 1000
const charges = new Map<string, Charge>()

serve('payment', 9007, {
  'POST /charges': async ({ headers, json }) => {
    const { cents } = await json()
    if (typeof cents !== 'number' || !Number.isInteger(cents) || cents <= 0) {
      throw new Refusal(400, 'a charge needs cents, a whole number above zero')
    }
    await wait(latencyMs * (0.5 + Math.random()))
    // before anything is booked, so that the same request may safely come again
    if (Math.random() < failureRate) throw new Refusal(503, 'the bank does not answer')
    const key = headers['idempotency-key']
    const known = typeof key === 'string' ? charges.get(key) : undefined
    const charge = known ?? { id: crypto.randomUUID(), cents }
    if (typeof key === 'string') charges.set(key, charge)
    const [oldest] = charges.keys()
    if (charges.size > remembered && oldest !== undefined) charges.delete(oldest)
    return { status: 201, body: charge }
  },
})
