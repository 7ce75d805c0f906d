// The shop's front: asks the other services and shows the page; a cookie names the cart.
import { call, json } from './call.ts'
import type { CartLine } from './cart.ts'
import type { Product } from './catalog.ts'
import type { Order } from './checkout.ts'
import { page } from './page.ts'
import type { Recommendations } from './recommendations-v1.ts'
import { serve } from './serve.ts'
import type { Call } from './serve.ts'

serve('storefront', 9001, {
  'GET /': async (request) => {
    const cart = cartOf(request)
    const [products, lines] = await Promise.all([
      call<readonly Product[]>('http://catalog:8080/products'),
      call<readonly CartLine[]>(`http://cart:8080/carts/${cart}`),
    ])
    const skus = lines.map(({ sku }) => sku).join(',')
    // a shop without recommendations is still a shop
    const recommendations = await call<Recommendations>(
      `http://recommendations:8080/recommendations?cart=${encodeURIComponent(skus)}`,
    ).catch(() => undefined)
    const notice = noticeOf(request.url)
    return {
      headers: { 'set-cookie': `cart=${cart}; Path=/; HttpOnly; SameSite=Lax`, 'cache-control': 'no-store' },
      body: page({ products, lines, recommendations, notice }),
    }
  },
  'POST /cart': async (request) => {
    const cart = cartOf(request)
    const sku = new URLSearchParams(await request.text()).get('sku') ?? ''
    const { cents } = await call<Product>(`http://catalog:8080/products/${encodeURIComponent(sku)}`)
    await call(`http://cart:8080/carts/${cart}/lines`, json({ sku, cents }))
    return home(cart, '')
  },
  'POST /checkout': async (request) => {
    const cart = cartOf(request)
    const order = await call<Order>('http://checkout:8080/orders', json({ cart })).catch(() => undefined)
    return home(cart, order === undefined ? '?sorry' : `?order=${order.id.slice(0, 8)}&cents=${order.cents}`)
  },
})

function cartOf({ headers }: Call): string {
  return /(?:^|;\s*)cart=([\w-]{1,64})/.exec(headers.cookie ?? '')?.[1] ?? crypto.randomUUID()
}

function noticeOf({ searchParams }: URL): string | undefined {
  if (searchParams.has('sorry')) return 'The order did not go through; your cart is as it was.'
  const order = searchParams.get('order')
  return order === null ? undefined : `Order ${order} is on the loom. Thank you!`
}

function home(cart: string, query: string): { status: number; headers: Record<string, string> } {
  return {
    status: 303,
    headers: { location: `/${query}`, 'set-cookie': `cart=${cart}; Path=/; HttpOnly; SameSite=Lax` },
  }
}
