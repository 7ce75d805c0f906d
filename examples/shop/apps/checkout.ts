// Turns a cart into an order: reads the cart, takes the money, empties the cart.
import { CallFailed, call, json } from './call.ts'
import type { CartLine } from './cart.ts'
import type { Charge } from './payment.ts'
import { Refusal, serve } from './serve.ts'

export interface Order {
  readonly id: string
  readonly cents: number
}

serve('checkout', 9006, {
  'POST /orders': async (request) => {
    const { cart } = await request.json()
    if (typeof cart !== 'string' || cart === '') throw new Refusal(400, 'an order needs a cart')
    const cartUrl = `http://cart:8080/carts/${encodeURIComponent(cart)}`
    const lines = await call<readonly CartLine[]>(cartUrl)
    if (lines.length === 0) throw new Refusal(409, 'the cart is empty')
    const order: Order = {
      id: crypto.randomUUID(),
      cents: lines.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0),
    }
    try {
      await call<Charge>('http://payment:8080/charges', json({ cents: order.cents }, { 'idempotency-key': order.id }))
    } catch (error) {
      if (error instanceof CallFailed) throw new Refusal(503, 'payment failed; the cart is kept')
      throw error
    }
    await call(cartUrl, { method: 'DELETE' })
    return { status: 201, body: order }
  },
})
