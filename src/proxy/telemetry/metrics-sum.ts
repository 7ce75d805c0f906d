// The metrics of several workers as those of one proxy: Prometheus texts in, one out. Works on what this proxy renders, not on any text.

/** Of these the workers say the same, or the greatest is the one that holds. */
const greatest = /(?:_info|_timestamp_seconds)$/

interface Family {
  readonly head: readonly string[]
  readonly take: (a: number, b: number) => number
  readonly series: Map<string, number>
}

/** Counters, histograms and gauges are added up, but for what `greatest` names. */
export function sumMetrics(texts: readonly string[]): string {
  const families = new Map<string, Family>()
  for (const text of texts) addText(families, text)
  let sum = ''
  for (const { head, series } of families.values()) {
    sum += `${head.join('\n')}\n`
    for (const [key, value] of series) sum += `${key} ${value === Number.POSITIVE_INFINITY ? '+Inf' : value}\n`
  }
  return sum
}

function addText(families: Map<string, Family>, text: string): void {
  let help = ''
  let family: Family | undefined
  for (const line of text.split('\n')) {
    if (line.startsWith('# HELP ')) help = line
    else if (line.startsWith('# TYPE ')) {
      const name = line.split(' ')[2] ?? ''
      family = families.get(name) ?? {
        head: [help, line],
        take: greatest.test(name) ? Math.max : (a, b) => a + b,
        series: new Map(),
      }
      families.set(name, family)
    } else if (family !== undefined && line !== '') {
      // a label's value may hold blanks; the number does not
      const end = line.lastIndexOf(' ')
      const key = line.slice(0, end)
      const value = Number(line.slice(end + 1).replace('Inf', 'Infinity'))
      const before = family.series.get(key)
      family.series.set(key, before === undefined ? value : family.take(before, value))
    }
  }
}
