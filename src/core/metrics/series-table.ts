// The metrics core: rows are label sets, columns are metrics over them, numbers live in typed arrays. One lookup serves all columns.
import { ExponentialBuckets, type ExponentialCounts } from './exponential-buckets.ts'
import { type MetricDefinition, overflowLabel } from './metric-definition.ts'

export type MetricColumn = Counter | Gauge | Histogram

const initialCapacity = 8

/** Label sets as a tree, one level a label: looking up strings whose hash is known is several times faster than joining them. */
class LabelNode {
  readonly children = new Map<string, LabelNode>()
  /** Of the label set that ends here; undefined on the way. */
  row: number | undefined
}

export class SeriesTable {
  readonly labels: readonly string[]
  readonly #maxRows: number
  readonly #onOverflow: () => void
  #root = new LabelNode()
  readonly #rows: (readonly string[])[] = []
  readonly #columns: MetricColumn[] = []
  #overflowRow: number | undefined

  /** `onOverflow` is called once, when the first label set finds the table full. */
  constructor(labels: readonly string[], maxRows: number, onOverflow: () => void) {
    this.labels = labels
    this.#maxRows = maxRows
    this.#onOverflow = onOverflow
  }

  /** Label values of every row, in order of appearance. */
  get rows(): readonly (readonly string[])[] {
    return this.#rows
  }

  get columns(): readonly MetricColumn[] {
    return this.#columns
  }

  /** The row of that label set, made when new. Values in the order of `labels`. A row stays valid until `clear`. */
  row(...values: readonly string[]): number {
    let node: LabelNode | undefined = this.#root
    for (const value of values) {
      node = node.children.get(value)
      if (node === undefined) return this.#newRow(values)
    }
    return node.row ?? this.#newRow(values)
  }

  counter(definition: MetricDefinition): Counter {
    return this.#attach(new Counter(definition, this))
  }

  gauge(definition: MetricDefinition): Gauge {
    return this.#attach(new Gauge(definition, this))
  }

  /** `bounds` ascend. */
  histogram(definition: MetricDefinition, bounds: readonly number[]): Histogram {
    return this.#attach(new Histogram(definition, this, bounds))
  }

  /** Forgets all rows: for tables whose one row says what is so now. */
  clear(): void {
    this.#root = new LabelNode()
    this.#rows.length = 0
    this.#overflowRow = undefined
    for (const column of this.#columns) column.clear()
  }

  #attach<C extends MetricColumn>(column: C): C {
    this.#columns.push(column)
    return column
  }

  #newRow(values: readonly string[]): number {
    if (this.#rows.length >= this.#maxRows) return this.#overflow()
    let node = this.#root
    for (const value of values) {
      const next = node.children.get(value) ?? new LabelNode()
      node.children.set(value, next)
      node = next
    }
    node.row = this.#append(values)
    return node.row
  }

  #overflow(): number {
    if (this.#overflowRow === undefined) {
      this.#overflowRow = this.#append(this.labels.map(() => overflowLabel))
      this.#onOverflow()
    }
    return this.#overflowRow
  }

  #append(values: readonly string[]): number {
    const row = this.#rows.push(values) - 1
    for (const column of this.#columns) column.reserve(row + 1)
    return row
  }
}

abstract class Column {
  readonly definition: MetricDefinition
  readonly #width: number
  protected cells: Float64Array

  constructor(definition: MetricDefinition, table: SeriesTable, width: number) {
    if (definition.labels.join() !== table.labels.join())
      throw new Error(`${definition.name} has other labels than its table`)
    this.definition = definition
    this.#width = width
    this.cells = new Float64Array(Math.max(initialCapacity, table.rows.length) * width)
  }

  reserve(rows: number): void {
    if (rows * this.#width <= this.cells.length) return
    const grown = new Float64Array(this.cells.length * 2)
    grown.set(this.cells)
    this.cells = grown
  }

  clear(): void {
    this.cells.fill(0)
  }
}

export class Counter extends Column {
  constructor(definition: MetricDefinition, table: SeriesTable) {
    super(definition, table, 1)
  }

  /** `amount` is never negative. */
  add(row: number, amount: number): void {
    this.cells[row] = (this.cells[row] as number) + amount
  }

  value(row: number): number {
    return this.cells[row] as number
  }
}

export class Gauge extends Counter {
  set(row: number, value: number): void {
    this.cells[row] = value
  }
}

/** An observation by which to find the request that it is of. */
export interface Exemplar {
  readonly traceId: string
  readonly spanId: string
  readonly value: number
  /** By the monotonic clock. */
  readonly atMonotonicMs: number
}

export class Histogram extends Column {
  readonly bounds: readonly number[]
  readonly #stride: number
  /** The newest of each bucket, by row and bucket. */
  readonly #exemplars = new Map<number, Exemplar>()
  #exponential: ExponentialBuckets | undefined

  constructor(definition: MetricDefinition, table: SeriesTable, bounds: readonly number[]) {
    // One cell a bucket, the last for +Inf, then the sum.
    super(definition, table, bounds.length + 2)
    this.bounds = bounds
    this.#stride = bounds.length + 2
  }

  observe(row: number, value: number): void {
    const { cells } = this
    const bucket = this.#bucketOf(value)
    const base = row * this.#stride
    const sum = base + this.#stride - 1
    cells[base + bucket] = (cells[base + bucket] as number) + 1
    cells[sum] = (cells[sum] as number) + value
    if (this.#exponential !== undefined) this.#exponential.observe(row, value)
  }

  /** From now on in exponential buckets as well, if these are seconds; `sinceMs` is now, since the Unix epoch. Undefined: no more. */
  recordExponential(sinceMs: number | undefined): void {
    if (!this.definition.name.endsWith('_seconds')) return
    if (sinceMs === undefined) this.#exponential = undefined
    else this.#exponential ??= new ExponentialBuckets(sinceMs)
  }

  /** Undefined: nobody has asked for them. */
  get exponentialSinceMs(): number | undefined {
    return this.#exponential?.sinceMs
  }

  exponential(row: number): ExponentialCounts | undefined {
    return this.#exponential?.of(row)
  }

  /** Beside `observe`, for its bucket. */
  exemplify(row: number, exemplar: Exemplar): void {
    this.#exemplars.set(row * this.#stride + this.#bucketOf(exemplar.value), exemplar)
  }

  exemplar(row: number, bucket: number): Exemplar | undefined {
    return this.#exemplars.get(row * this.#stride + bucket)
  }

  exemplars(row: number): Exemplar[] {
    if (this.#exemplars.size === 0) return []
    return [...this.bounds, Infinity].flatMap((_, bucket) => this.exemplar(row, bucket) ?? [])
  }

  override clear(): void {
    super.clear()
    this.#exemplars.clear()
    this.#exponential?.clear()
  }

  #bucketOf(value: number): number {
    const { bounds } = this
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++
    return bucket
  }

  /** Observations in each bucket alone, +Inf last. */
  counts(row: number): Float64Array {
    const base = row * this.#stride
    return this.cells.slice(base, base + this.#stride - 1)
  }

  sum(row: number): number {
    return this.cells[(row + 1) * this.#stride - 1] as number
  }
}
