// Customers: each looks around, puts things into a cart, and now and then buys. $RATE requests a second in all, $STOREFRONT where.
import { setTimeout as wait } from 'node:timers/promises'

const storefront = process.env['STOREFRONT'] ?? 'http://storefront:8080'
const rate = Number(process.env['RATE'] ?? 20)
const maxCustomers = 40
const reportEveryMs = 60_000
const skus = ['shuttle', 'heddles', 'linen', 'wool', 'silk', 'indigo', 'madder', 'reed', 'loom']

let customers = 0
let requests = 0
let failures = 0
const leaving = new AbortController()

async function visit(cookie: string, path: string, form?: Readonly<Record<string, string>>): Promise<boolean> {
  requests++
  try {
    const response = await fetch(storefront + path, {
      headers: { cookie },
      redirect: 'manual',
      signal: AbortSignal.timeout(5000),
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    })
    await response.arrayBuffer()
    if (response.status < 400) return true
  } catch {
    // counted below, as any answer that is none
  }
  failures++
  return false
}

/** About five requests: three looks, one thing into the cart, and every third customer pays. */
async function customer(): Promise<void> {
  const cookie = `cart=${crypto.randomUUID()}`
  await visit(cookie, '/')
  if (!(await think())) return
  for (let things = Math.random() < 0.5 ? 1 : 2; things > 0; things--) {
    const sku = skus[Math.floor(Math.random() * skus.length)] ?? 'wool'
    if (await visit(cookie, '/cart', { sku })) await visit(cookie, '/')
    if (!(await think())) return
  }
  if (Math.random() < 0.33 && (await visit(cookie, '/checkout', {}))) await visit(cookie, '/')
}

/** False: the shop closes, go home. */
function think(): Promise<boolean> {
  return wait(200 + Math.random() * 800, true, { signal: leaving.signal }).catch(() => false)
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => leaving.abort())
}
const report = setInterval(() => {
  console.log(`traffic: ${requests} requests, ${failures} failed`)
}, reportEveryMs)

const requestsPerCustomer = 4.7
while (!leaving.signal.aborted) {
  if (customers < maxCustomers) {
    customers++
    void customer().finally(() => customers--)
  }
  await wait((1000 * requestsPerCustomer) / rate)
}
clearInterval(report)
