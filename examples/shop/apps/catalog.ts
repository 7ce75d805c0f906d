// The shop's catalog: what there is and what it costs.
import { Refusal, serve } from './serve.ts'

export interface Product {
  readonly sku: string
  readonly name: string
  readonly blurb: string
  readonly cents: number
  /** Colours of the swatch: warp and weft. */
  readonly warp: string
  readonly weft: string
}

const products: readonly Product[] = [
  { sku: 'shuttle', name: 'Boat shuttle', blurb: 'Cherry wood, glides', cents: 2400, warp: '#7a3b1d', weft: '#c98b5a' },
  { sku: 'heddles', name: 'Wire heddles', blurb: 'A hundred, 28 cm', cents: 1850, warp: '#5b6470', weft: '#aeb7c2' },
  { sku: 'loom', name: 'Table loom', blurb: 'Four shafts, 60 cm', cents: 38900, warp: '#8a5a2b', weft: '#e2b676' },
  { sku: 'linen', name: 'Linen yarn', blurb: 'Nm 16/2, natural', cents: 1290, warp: '#b9a988', weft: '#e9e0cb' },
  { sku: 'wool', name: 'Lambswool', blurb: 'Sea green, 100 g', cents: 990, warp: '#1f6f6b', weft: '#7fc4b5' },
  { sku: 'silk', name: 'Tussah silk', blurb: 'Undyed, 50 g', cents: 2150, warp: '#c2a15e', weft: '#f3e3b3' },
  { sku: 'indigo', name: 'Indigo cotton', blurb: 'Ne 8/2, cone', cents: 1420, warp: '#1d2f6f', weft: '#5f79c9' },
  { sku: 'madder', name: 'Madder cotton', blurb: 'Ne 8/2, cone', cents: 1420, warp: '#8c1f28', weft: '#dd7468' },
  { sku: 'reed', name: 'Steel reed', blurb: '40/10, 70 cm', cents: 5600, warp: '#44505c', weft: '#93a1ae' },
]

serve('catalog', 9002, {
  'GET /products': () => ({ body: products }),
  'GET /products/:sku': ({ params }) => {
    const product = products.find(({ sku }) => sku === params[0])
    if (product === undefined) throw new Refusal(404, `no product ${params[0]}`)
    return { body: product }
  },
})
