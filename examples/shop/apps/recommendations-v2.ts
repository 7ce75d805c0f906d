// Recommendations, second version: what goes with the things in the cart, and why.
import type { Recommendations } from './recommendations-v1.ts'
import { serve } from './serve.ts'

const goesWith: Readonly<Record<string, readonly { readonly sku: string; readonly reason: string }[]>> = {
  loom: [
    { sku: 'heddles', reason: 'A new loom is always short of heddles' },
    { sku: 'reed', reason: 'Fits the table loom' },
  ],
  wool: [{ sku: 'indigo', reason: 'Indigo deepens sea green' }],
  linen: [{ sku: 'silk', reason: 'Linen warp, silk weft: an old friendship' }],
  indigo: [{ sku: 'madder', reason: 'Blue asks for red' }],
  shuttle: [{ sku: 'wool', reason: 'The shuttle holds exactly one skein' }],
}
const forAnybody = [
  { sku: 'loom', reason: 'Everything begins with a loom' },
  { sku: 'shuttle', reason: 'Turned this morning' },
  { sku: 'indigo', reason: 'Fresh from the vat' },
]

serve('recommendations-v2', 9005, {
  'GET /recommendations': ({ url }) => {
    const cart = (url.searchParams.get('cart') ?? '').split(',').filter((sku) => sku !== '')
    const chosen = [...cart.flatMap((sku) => goesWith[sku] ?? []), ...forAnybody]
    const items = chosen.filter(
      ({ sku }, index) => !cart.includes(sku) && chosen.findIndex((one) => one.sku === sku) === index,
    )
    const body: Recommendations = { version: 'v2', title: 'Chosen for what you weave', items: items.slice(0, 3) }
    return { body }
  },
})
