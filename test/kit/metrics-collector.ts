// A collector of OpenTelemetry for metrics that decodes with OpenTelemetry's own generated code.
import { OtlpEndpoint, type OtlpSignal } from './otlp-endpoint.ts'
import { type CollectedMetric, type CollectedPoint, type CollectedResource, decodeMetrics } from './otlp-metrics.ts'

export class MetricsCollector extends OtlpEndpoint {
  /** The newest of each process that counts, by its `service.instance.id` and the metric's name. */
  readonly #newest = new Map<string, Map<string, CollectedMetric>>()
  readonly #resources = new Map<string, CollectedResource['attributes']>()

  constructor() {
    super(['metrics'])
  }

  /** Of all processes with that `service.name`; of its newest messages. */
  metrics(service: string, name: string): CollectedMetric[] {
    return [...this.#newest].flatMap(([instance, metrics]) => {
      const found = metrics.get(name)
      return found === undefined || this.#resources.get(instance)?.['service.name'] !== service ? [] : [found]
    })
  }

  points(service: string, name: string): CollectedPoint[] {
    return this.metrics(service, name).flatMap(({ points }) => points)
  }

  names(service: string): string[] {
    return [...this.#newest].flatMap(([instance, metrics]) =>
      this.#resources.get(instance)?.['service.name'] === service ? [...metrics.keys()] : [],
    )
  }

  resources(service: string): CollectedResource['attributes'][] {
    return [...this.#resources.values()].filter((attributes) => attributes['service.name'] === service)
  }

  forget(): void {
    this.#newest.clear()
    this.#resources.clear()
  }

  protected override take(_: OtlpSignal, message: Buffer): void {
    for (const { attributes, metrics } of decodeMetrics(message)) {
      const instance = attributes['service.instance.id'] ?? ''
      this.#resources.set(instance, attributes)
      const newest = this.#newest.get(instance) ?? new Map<string, CollectedMetric>()
      this.#newest.set(instance, newest)
      for (const metric of metrics) newest.set(metric.name, metric)
    }
  }
}
