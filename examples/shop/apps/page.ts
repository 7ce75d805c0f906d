// The storefront's page: data in, HTML out.
import type { CartLine } from './cart.ts'
import type { Product } from './catalog.ts'
import type { Recommendations } from './recommendations-v1.ts'

export interface PageData {
  readonly products: readonly Product[]
  readonly lines: readonly CartLine[]
  readonly recommendations: Recommendations | undefined
  readonly notice: string | undefined
}

export function page({ products, lines, recommendations, notice }: PageData): string {
  const bySku = new Map(products.map((product) => [product.sku, product]))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Warp &amp; Weft</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<header><h1>Warp <span>&amp;</span> Weft</h1><p>Looms, yarns and the small things between</p></header>
${notice === undefined ? '' : `<p class="notice" role="status">${escape(notice)}</p>`}
<main>
<section aria-labelledby="products"><h2 id="products">From the workshop</h2>
<ul class="grid">${products.map(card).join('')}</ul></section>
<aside>${cartView(lines, bySku)}${recommendations === undefined ? '' : recommendationsView(recommendations, bySku)}</aside>
</main>
</body>
</html>
`
}

function card({ sku, name, blurb, cents, warp, weft }: Product): string {
  return `<li class="card"><div class="swatch" style="--warp:${warp};--weft:${weft}"></div>
<h3>${escape(name)}</h3><p>${escape(blurb)}</p>
<form method="post" action="/cart"><strong>${money(cents)}</strong><button name="sku" value="${escape(sku)}" aria-label="Add ${escape(name)} to the cart">Add</button></form></li>`
}

function cartView(lines: readonly CartLine[], bySku: ReadonlyMap<string, Product>): string {
  const total = lines.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0)
  const rows = lines.map(
    ({ sku, quantity, cents }) =>
      `<tr><td>${quantity}×</td><td>${escape(bySku.get(sku)?.name ?? sku)}</td><td>${money(quantity * cents)}</td></tr>`,
  )
  return `<section class="panel" aria-labelledby="cart"><h2 id="cart">Your cart</h2>
${
  lines.length === 0
    ? '<p class="quiet">Nothing in it yet.</p>'
    : `<table>${rows.join('')}<tr class="total"><td></td><td>Together</td><td>${money(total)}</td></tr></table>
<form method="post" action="/checkout"><button class="buy">Check out</button></form>`
}</section>`
}

function recommendationsView({ version, title, items }: Recommendations, bySku: ReadonlyMap<string, Product>): string {
  const entries = items.map(({ sku, reason }) => {
    const product = bySku.get(sku)
    const swatch = product === undefined ? '' : ` style="--warp:${product.warp};--weft:${product.weft}"`
    return `<li><div class="swatch small"${swatch}></div><div><strong>${escape(product?.name ?? sku)}</strong>${reason === undefined ? '' : `<br><em>${escape(reason)}</em>`}</div></li>`
  })
  return `<section class="panel ${version}" aria-labelledby="recommendations" data-version="${version}">
<h2 id="recommendations">${escape(title)} <small>recommendations ${version}</small></h2><ul>${entries.join('')}</ul></section>`
}

function money(cents: number): string {
  return `€ ${(cents / 100).toFixed(2)}`
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)
}

const style = `
:root{--ink:#2b2622;--paper:#faf6ef;--line:#e4dacb;--accent:#1f6f6b;color-scheme:light}
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 ui-sans-serif,system-ui,sans-serif;color:var(--ink);background:var(--paper)}
header{padding:2.5rem 1.5rem 1.5rem;text-align:center;border-bottom:1px solid var(--line);
  background:repeating-linear-gradient(90deg,#0000 0 6px,#1f6f6b0d 6px 8px),repeating-linear-gradient(0deg,#0000 0 6px,#8c1f280d 6px 8px)}
h1{margin:0;font:600 2.6rem/1.1 ui-serif,Georgia,serif;letter-spacing:.02em}
h1 span{color:var(--accent);font-style:italic}
header p{margin:.4rem 0 0;color:#7a6f63}
h2{font:600 1.15rem ui-serif,Georgia,serif;margin:0 0 .8rem}
main{display:grid;grid-template-columns:1fr 20rem;gap:2rem;max-width:70rem;margin:2rem auto;padding:0 1.5rem}
@media(max-width:50rem){main{grid-template-columns:1fr}}
ul{list-style:none;margin:0;padding:0}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(12rem,1fr));gap:1rem}
.card,.panel{background:#fff;border:1px solid var(--line);border-radius:10px;padding:1rem}
.card h3{margin:.7rem 0 0;font-size:1rem}
.card p{margin:0 0 .6rem;color:#7a6f63;font-size:.9rem}
.card form{display:flex;justify-content:space-between;align-items:center}
.swatch{height:5.5rem;border-radius:6px;background-color:var(--weft);
  background-image:repeating-linear-gradient(90deg,var(--warp) 0 5px,#0000 5px 10px),repeating-linear-gradient(0deg,#fff3 0 2px,#0000 2px 5px)}
.swatch.small{height:2.6rem;width:2.6rem;flex:none}
button{font:inherit;border:0;border-radius:6px;padding:.3rem .9rem;background:var(--accent);color:#fff;cursor:pointer}
button:hover,button:focus-visible{filter:brightness(1.15);outline:2px solid var(--ink);outline-offset:2px}
.buy{width:100%;margin-top:.8rem;padding:.6rem}
.panel{margin-bottom:1.2rem}
.panel li{display:flex;gap:.8rem;align-items:center;margin:.6rem 0;line-height:1.3}
.panel small{font:.75rem ui-monospace,monospace;color:#7a6f63;float:right}
.v2{border-color:#8c1f28;box-shadow:0 0 0 2px #8c1f2822;background:#fff7f5}
.v2 h2,.v2 small{color:#8c1f28}
em{color:#7a6f63;font-size:.85rem}
table{width:100%;border-collapse:collapse}
td{padding:.25rem 0}
td:last-child{text-align:right;font-variant-numeric:tabular-nums}
.total td{border-top:1px solid var(--line);font-weight:600}
.quiet{color:#7a6f63;margin:0}
.notice{max-width:67rem;margin:1.5rem auto 0;padding:.7rem 1rem;background:#e6f2ee;border-left:4px solid var(--accent);border-radius:6px}
`
