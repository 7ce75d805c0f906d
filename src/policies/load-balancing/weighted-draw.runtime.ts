// Draws by weight in constant time: Vose's alias method. One random number gives both the column and the side of it.
import type { Random } from '../../core/random.ts'

/** Draws an index. Weights are above 0. */
export function compileDraw(weights: readonly number[], random: Random): () => number {
  const count = weights.length
  if (isEven(weights)) return () => random.int(count)
  const { stay, alias } = aliasTable(weights)
  return () => {
    const at = random.next() * count
    const column = Math.floor(at)
    return at - column < (stay[column] as number) ? column : (alias[column] as number)
  }
}

export function isEven(weights: readonly number[]): boolean {
  return weights.every((weight) => weight === weights[0])
}

function aliasTable(weights: readonly number[]): { readonly stay: Float64Array; readonly alias: Uint32Array } {
  const count = weights.length
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / count
  const share = Float64Array.from(weights, (weight) => weight / mean)
  const stay = new Float64Array(count).fill(1)
  const alias = new Uint32Array(count)
  const poor: number[] = []
  const rich: number[] = []
  for (let i = 0; i < count; i++) ((share[i] as number) < 1 ? poor : rich).push(i)
  while (poor.length > 0 && rich.length > 0) {
    const taker = poor.pop() as number
    const giver = rich.at(-1) as number
    stay[taker] = share[taker] as number
    alias[taker] = giver
    share[giver] = (share[giver] as number) + (share[taker] as number) - 1
    if (share[giver] < 1) poor.push(rich.pop() as number)
  }
  return { stay, alias }
}
