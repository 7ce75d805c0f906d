// @bufbuild/cel, loaded when the first expression comes: it costs start-up time and memory that those without expressions should not pay.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

import type * as Cel from '@bufbuild/cel'

import { errorMessage } from '../errors.ts'
import { type CelExpression, completeCel } from './expression.ts'

let loaded: typeof Cel | undefined

/** At once: configuration is read, and expressions are compiled, in one go. As an ES module, so that what it shares with others is there once. */
function library(): typeof Cel {
  loaded ??= createRequire(import.meta.url)(fileURLToPath(import.meta.resolve('@bufbuild/cel'))) as typeof Cel
  return loaded
}

export interface ParsedCel {
  readonly expression: CelExpression
  /** Where a part begins in the text. */
  readonly offsetOf: (part: CelExpression) => number
}

export interface CelSyntaxFault {
  readonly message: string
  readonly offset: number
}

/** Longer ones are refused: what is compiled and evaluated is bounded by the text. */
export const mostCelLength = 4_096

/** A policy is read once, and then translated for each port that it applies to. */
const parsedTexts = new Map<string, ParsedCel | CelSyntaxFault>()
const mostParsedTexts = 1_000

export function parseCel(text: string): ParsedCel | CelSyntaxFault {
  let parsed = parsedTexts.get(text)
  if (parsed === undefined) {
    if (parsedTexts.size >= mostParsedTexts) parsedTexts.clear()
    parsedTexts.set(text, (parsed = parseText(text)))
  }
  return parsed
}

function parseText(text: string): ParsedCel | CelSyntaxFault {
  if (text.length > mostCelLength) return { message: `is longer than ${mostCelLength} characters`, offset: 0 }
  try {
    const { expr, sourceInfo } = library().parse(text)
    const positions = sourceInfo?.positions ?? {}
    return {
      expression: expr as unknown as CelExpression,
      offsetOf: ({ id }) => positions[String(id)] ?? 0,
    }
  } catch (error) {
    const { location } = error as { readonly location?: { readonly start: { readonly offset: number } } }
    const message = errorMessage(error).replace(/^<input>:\d+:\d+: /, '')
    return { message, offset: location?.start.offset ?? 0 }
  }
}

export type CelValue = boolean | string | number | bigint | Map<string, string> | Readonly<Record<string, unknown>>

export interface CelPlan {
  /** Undefined: it could not be evaluated, or is no truth value. A variable that is not there makes what needs it fail. */
  evaluate(variables: Readonly<Record<string, CelValue>>): boolean | undefined
}

type Patterns = ReadonlyMap<string, { test(text: string): boolean }>
const noPatterns: Patterns = new Map()

/** Of the expression that is being evaluated. */
let patterns = noPatterns
let environment: Cel.CelEnv | undefined

/** One for all, since it takes longer to make than a plan. */
function sharedEnvironment(): Cel.CelEnv {
  return (environment ??= library().celEnv({
    re2: {
      compile(pattern) {
        const found = patterns.get(pattern)
        if (found === undefined) throw new Error('an expression that was not compiled before')
        return found
      },
    },
  }))
}

/** Of a plain expression. `compiled`: what `matches` is called with, a literal text each time. */
export function planCel(expression: CelExpression, compiled: Patterns): CelPlan {
  const evaluate = library().plan(sharedEnvironment(), completeCel(expression) as never)
  return {
    evaluate(values) {
      patterns = compiled
      try {
        const result = evaluate(values as never)
        return typeof result === 'boolean' ? result : undefined
      } finally {
        patterns = noPatterns
      }
    },
  }
}
