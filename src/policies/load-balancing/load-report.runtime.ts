// What an endpoint says of its load in a response: `endpoint-load-metrics`, the ORCA report as text, JSON or a message (xds.data.orca.v3.OrcaLoadReport).

export interface LoadReport {
  /** Of the application, or of the CPU where it does not say; 1 is full. */
  readonly utilization: number
  readonly requestsPerSecond: number
  readonly errorsPerSecond: number
}

const names = ['cpu_utilization', 'application_utilization', 'rps_fractional', 'eps'] as const
/** Doubles of the message, by field number. */
const fields: Readonly<Record<number, (typeof names)[number]>> = {
  1: 'cpu_utilization',
  6: 'rps_fractional',
  7: 'eps',
  9: 'application_utilization',
}
type Metrics = Partial<Record<(typeof names)[number], number>>

/** Undefined when it says too little to weigh the endpoint by, or is garbled. `text`: "TEXT …", "JSON …" or "BIN …". */
export function parseLoadReport(text: string): LoadReport | undefined {
  const metrics = parseMetrics(text)
  const utilization = metrics?.application_utilization || metrics?.cpu_utilization || 0
  const { rps_fractional: requestsPerSecond = 0, eps: errorsPerSecond = 0 } = metrics ?? {}
  const usable = utilization > 0 && requestsPerSecond > 0 && errorsPerSecond >= 0
  return usable && Number.isFinite(utilization + requestsPerSecond + errorsPerSecond)
    ? { utilization, requestsPerSecond, errorsPerSecond }
    : undefined
}

function parseMetrics(text: string): Metrics | undefined {
  const kind = text.slice(0, text.indexOf(' '))
  const rest = text.slice(kind.length + 1)
  try {
    if (kind === 'TEXT') return parsePairs(rest)
    if (kind === 'JSON') return parseJson(rest)
    if (kind === 'BIN') return parseMessage(Buffer.from(rest, 'base64'))
  } catch {
    // an application may write what it likes
  }
  return undefined
}

function parsePairs(text: string): Metrics {
  const metrics: Metrics = {}
  for (const pair of text.split(',')) {
    const [key = '', value] = pair.split('=')
    const name = names.find((one) => one === key.trim())
    if (name !== undefined) metrics[name] = Number(value)
  }
  return metrics
}

function parseJson(text: string): Metrics {
  const object = JSON.parse(text) as Readonly<Record<string, unknown>>
  const metrics: Metrics = {}
  for (const name of names) {
    const value = object[name] ?? object[name.replace(/_[a-z]/g, (part) => part.charAt(1).toUpperCase())]
    if (typeof value === 'number') metrics[name] = value
  }
  return metrics
}

/** Throws a RangeError when the message is cut. */
function parseMessage(bytes: Buffer): Metrics {
  const metrics: Metrics = {}
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at++)
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const name = fields[tag >>> 3]
    const wireType = tag & 7
    if (wireType === 1) {
      if (name !== undefined) metrics[name] = bytes.readDoubleLE(at)
      at += 8
    } else if (wireType === 2) {
      const length = varint()
      at += length
    } else if (wireType === 5) at += 4
    else varint()
  }
  return metrics
}
