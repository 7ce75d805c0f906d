// Begins what is told of a trace at one hop: joins the trace that the request belongs to, or begins one, sampled by the rules that came with
// the configuration.
import type { Random } from '../../core/random.ts'
import { compileSamplingRules, type SamplingRules } from '../../policies/tracing/sampling-rules.runtime.ts'
import type { SamplingRuleSpec, TracingSpec } from '../../policies/tracing/tracing.spec.ts'
import type { ListenerConfig } from '../runtime/runtime-config.ts'
import { beginTraced } from './begin-exchange.ts'
import type { Exchange, TelemetryIdentity, TracedExchange } from './exchange.ts'

export class TraceSampling {
  readonly #identity: TelemetryIdentity
  readonly #random: Random
  /** As long as somebody has the configuration, be it a connection that came before the newest one. */
  readonly #compiled = new WeakMap<readonly SamplingRuleSpec[], SamplingRules>()

  constructor(identity: TelemetryIdentity, random: Random) {
    this.#identity = identity
    this.#random = random
  }

  /** Compiles what is new, before anybody asks for it. */
  update(listeners: ReadonlyMap<string, ListenerConfig>): void {
    for (const { filterChains } of listeners.values())
      for (const { filter } of filterChains)
        if (filter.kind === 'http' && filter.tracing?.samplingRules !== undefined)
          this.#of(filter.tracing.samplingRules)
  }

  begin(exchange: Exchange, tracing: TracingSpec): TracedExchange {
    const { samplingRules, randomSamplingPercent } = tracing
    const share =
      samplingRules === undefined
        ? randomSamplingPercent / 100
        : () => (this.#percentOf(exchange, samplingRules) ?? randomSamplingPercent) / 100
    return beginTraced(exchange.request.headers, tracing, share, this.#random)
  }

  #percentOf(exchange: Exchange, rules: readonly SamplingRuleSpec[]): number | undefined {
    const { reporter, listener, mtls, protocol, request, source, sourcePrincipal } = exchange
    const { method, authority, path, headers } = request
    const inbound = reporter === 'destination'
    return this.#of(rules)({
      reporter,
      proxy: this.#identity.workload,
      mtls,
      listener,
      request: { method, authority, path, protocol, headers },
      source: {
        workload: inbound ? undefined : this.#identity.workload,
        principal: inbound ? sourcePrincipal : this.#identity.spiffeId,
        address: `${source.remoteAddress}:${source.remotePort}`,
      },
    })
  }

  #of(rules: readonly SamplingRuleSpec[]): SamplingRules {
    let compiled = this.#compiled.get(rules)
    if (compiled === undefined) this.#compiled.set(rules, (compiled = compileSamplingRules(rules)))
    return compiled
  }
}
