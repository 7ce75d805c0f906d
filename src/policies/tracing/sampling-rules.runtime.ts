// Sampling by rule: how many of the traces are sampled that begin with such a request. Compiled when configuration comes.
import { type CelPlan, type CelValue, parseCel, planCel } from '../../core/cel/library.ts'
import { celPatterns } from '../../core/cel/type-check.ts'
import type { HeaderList } from '../../core/header-list.ts'
import { compileSearch } from '../route-match/full-match.runtime.ts'
import type { SamplingRuleSpec } from './tracing.spec.ts'

/** What rules may ask about, with the names of decision records. What is undefined is not there. */
export interface BegunRequest {
  readonly reporter: string
  readonly proxy: string
  readonly mtls: boolean
  readonly listener: string
  readonly request: {
    readonly method: string
    readonly authority: string
    readonly path: string
    readonly protocol: string
    readonly headers: HeaderList
  }
  readonly source: {
    readonly workload: string | undefined
    readonly principal: string | undefined
    readonly address: string
  }
}

/** In percent; undefined: no rule matches. A rule that asks for what the request does not have does not match. */
export type SamplingRules = (begun: BegunRequest) => number | undefined

/** Throws an Error that names what cannot be compiled. */
export function compileSamplingRules(rules: readonly SamplingRuleSpec[]): SamplingRules {
  const compiled = rules.map(({ matches, samplingPercent }) => ({ plan: compile(matches), samplingPercent }))
  // a field is not asked for but by its name
  const asksForHeaders = rules.some(({ matches }) => matches.includes('headers'))
  return ({ request, ...begun }) => {
    const headers = asksForHeaders ? mapOf(request.headers) : noHeaders
    const values = { ...begun, request: { ...request, headers } } as unknown as Readonly<Record<string, CelValue>>
    return compiled.find(({ plan }) => plan.evaluate(values) === true)?.samplingPercent
  }
}

function compile(text: string): CelPlan {
  const parsed = parseCel(text)
  if ('message' in parsed) throw new Error(`sampling rule: ${parsed.message}`)
  const { expression } = parsed
  return planCel(
    expression,
    new Map(celPatterns(expression).map(({ pattern }) => [pattern, { test: compileSearch(pattern) }])),
  )
}

const noHeaders: ReadonlyMap<string, string> = new Map()

/** Lines of one name are joined with ",". */
function mapOf(headers: HeaderList): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const [line, value] of headers) {
    const name = line.toLowerCase()
    const before = values.get(name)
    values.set(name, before === undefined ? value : `${before},${value}`)
  }
  return values
}
