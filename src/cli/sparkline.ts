// Values over time as a line of little bars. Pure.

const bars = '▁▂▃▄▅▆▇█'
const asciiBars = '_.:-=+*#'

/** One character for each value; the highest bar is `most`. */
export function sparkline(values: readonly number[], most: number, isUnicode = true): string {
  const levels = isUnicode ? bars : asciiBars
  return values
    .map((value) =>
      most > 0 ? levels[Math.min(levels.length - 1, Math.floor((value / most) * levels.length))] : levels[0],
    )
    .join('')
}
