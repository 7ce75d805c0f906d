// Where nodes stand: callers left of what they call, few crossings, the same picture for the same mesh. Linear enough for thousands of edges.

export interface Link {
  readonly from: string
  readonly to: string
}

export interface Place {
  readonly x: number
  readonly y: number
}

const columnWidth = 372
const rowHeight = 116
const sweeps = 6
/** So many are never too many. */
const fewestColumns = 8
/** Of one column; more stand in a second one beside it. */
const fewestRows = 14
/** Of a picture of many: so much wider than high. */
const aspect = 1.4

export function layOut(ids: readonly string[], links: readonly Link[]): ReadonlyMap<string, Place> {
  const sorted = ids.toSorted()
  const rank = ranks(sorted, links)
  const touched = new Set(links.flatMap(({ from, to }) => [from, to]))
  // where everybody calls everybody, ranks say little and would make one long line
  const depth = 1 + Math.max(0, ...rank.values())
  const most = Math.max(fewestColumns, Math.ceil(Math.sqrt((touched.size * rowHeight * aspect) / columnWidth)))
  const column = (id: string): number => {
    const own = rank.get(id) ?? 0
    return depth > most ? Math.floor((own * most) / depth) : own
  }
  const layers: string[][] = []
  for (const id of sorted) {
    if (touched.has(id)) (layers[column(id)] ??= []).push(id)
  }
  const order = uncross(
    [...layers].map((layer) => layer ?? []).filter((layer) => layer.length > 0),
    links,
  )
  const mostRows = Math.max(fewestRows, Math.ceil(touched.size / most))
  const columns = order.flatMap((layer) => chunks(layer, mostRows))
  const tallest = Math.max(0, ...columns.map(({ length }) => length))
  const places = new Map<string, Place>()
  for (const [index, layer] of columns.entries()) {
    const top = ((tallest - layer.length) * rowHeight) / 2
    for (const [row, id] of layer.entries()) places.set(id, { x: index * columnWidth, y: top + row * rowHeight })
  }
  // who takes no part stands below
  const apart = sorted.filter((id) => !touched.has(id))
  const across = Math.max(columns.length, Math.ceil(Math.sqrt(apart.length / 2)), 1)
  const below = tallest === 0 ? 0 : tallest + 0.6
  for (const [index, id] of apart.entries()) {
    const row = Math.floor(index / across)
    places.set(id, { x: (index % across) * columnWidth, y: (below + row) * rowHeight })
  }
  return places
}

/** One more than that of any caller; edges that lead back around a circle do not count. */
function ranks(ids: readonly string[], links: readonly Link[]): Map<string, number> {
  const next = new Map<string, string[]>()
  for (const { from, to } of links) {
    const list = next.get(from)
    if (list === undefined) next.set(from, [to])
    else list.push(to)
  }
  const called = new Set(links.filter(({ from, to }) => from !== to).map(({ to }) => to))
  const order: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const back = new Set<string>()
  const visit = (start: string): void => {
    const stack = [{ id: start, at: 0 }]
    state.set(start, 'open')
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const to = next.get(top.id)?.[top.at++]
      if (to === undefined) {
        state.set(top.id, 'done')
        order.push(top.id)
        stack.pop()
      } else if (state.get(to) === 'open') back.add(`${top.id}\n${to}`)
      else if (state.get(to) === undefined) {
        state.set(to, 'open')
        stack.push({ id: to, at: 0 })
      }
    }
  }
  // from those whom nobody calls, so that circles are cut where they are entered
  for (const id of [...ids.filter((one) => !called.has(one)), ...ids]) if (!state.has(id)) visit(id)
  const rank = new Map(ids.map((id) => [id, 0]))
  for (const id of order.toReversed()) {
    for (const to of next.get(id) ?? []) {
      if (back.has(`${id}\n${to}`)) continue
      rank.set(to, Math.max(rank.get(to) ?? 0, (rank.get(id) ?? 0) + 1))
    }
  }
  return rank
}

/** Each node near the middle of those that it is linked with in the layer before, then in the one after, and again. */
function uncross(layers: readonly string[][], links: readonly Link[]): readonly string[][] {
  const neighbours = new Map<string, string[]>()
  const add = (a: string, b: string): void => {
    const list = neighbours.get(a)
    if (list === undefined) neighbours.set(a, [b])
    else list.push(b)
  }
  for (const { from, to } of links) {
    add(from, to)
    add(to, from)
  }
  const order = layers.map((layer) => [...layer])
  const place = new Map<string, number>()
  const settle = (layer: readonly string[]): void => {
    for (const [index, id] of layer.entries()) place.set(id, layer.length < 2 ? 0.5 : index / (layer.length - 1))
  }
  for (const layer of order) settle(layer)
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const forward = sweep % 2 === 0
    for (let step = 0; step < order.length; step++) {
      const layer = order[forward ? step : order.length - 1 - step] as string[]
      const centre = new Map(
        layer.map((id) => {
          const near = neighbours.get(id) ?? []
          const sum = near.reduce((total, other) => total + (place.get(other) ?? 0.5), 0)
          return [id, near.length === 0 ? (place.get(id) ?? 0.5) : sum / near.length]
        }),
      )
      layer.sort((a, b) => (centre.get(a) ?? 0) - (centre.get(b) ?? 0) || (a < b ? -1 : 1))
      settle(layer)
    }
  }
  return order
}

function chunks(list: readonly string[], size: number): string[][] {
  const parts: string[][] = []
  for (let at = 0; at < list.length; at += size) parts.push(list.slice(at, at + size))
  return parts
}
