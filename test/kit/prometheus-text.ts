// Reads the Prometheus text exposition format, as far as proxies write it.

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g

/** Lines that are no samples are left out. */
export function parsePrometheus(text: string): Sample[] {
  const samples: Sample[] = []
  for (const row of text.split('\n')) {
    if (row === '' || row.startsWith('#')) continue
    const parts = line.exec(row)
    if (parts === null) continue
    const [, name = '', labels = '', value = ''] = parts
    samples.push({ name, labels: parseLabels(labels), value: value === '+Inf' ? Infinity : Number(value) })
  }
  return samples
}

function parseLabels(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(label)].map(([, name = '', value = '']) => [name, unescape(value)]))
}

function unescape(value: string): string {
  return value.replaceAll(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))
}
