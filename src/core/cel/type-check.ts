// Whether an expression of CEL is one that can be decided: its names, functions and types, and a bound on what it costs.
import { type CelCall, type CelComprehension, type CelExpression, dottedName } from './expression.ts'

/** `strings`: a map of texts. `dyn`: known only when it is evaluated. */
export type CelType =
  | 'bool'
  | 'string'
  | 'int'
  | 'uint'
  | 'double'
  | 'bytes'
  | 'null'
  | 'list'
  | 'map'
  | 'strings'
  | 'dyn'

/** What may be asked about, by dotted name. */
export type CelAttributes = Readonly<Record<string, CelType>>

export interface CelTypeFault {
  readonly message: string
  readonly part: CelExpression
}

const mostParts = 1_000

/** Undefined: it is a truth value, as far as can be told. */
export function checkCel(expression: CelExpression, attributes: CelAttributes): CelTypeFault | undefined {
  try {
    const type = new Checker(attributes).typeOf(expression, noLocals, false)
    return type === 'bool' || type === 'dyn'
      ? undefined
      : { message: `is of type ${type}: expected a truth value`, part: expression }
  } catch (error) {
    if (error instanceof Fault) return { message: error.message, part: error.part }
    throw error
  }
}

class Fault extends Error {
  readonly part: CelExpression

  constructor(part: CelExpression, message: string) {
    super(message)
    this.part = part
  }
}

type Locals = ReadonlyMap<string, CelType>
const noLocals: Locals = new Map()

const constants: Readonly<Record<string, CelType>> = {
  boolValue: 'bool',
  stringValue: 'string',
  int64Value: 'int',
  uint64Value: 'uint',
  doubleValue: 'double',
  nullValue: 'null',
}

class Checker {
  readonly #attributes: CelAttributes
  readonly #roots: ReadonlySet<string>
  #parts = 0

  constructor(attributes: CelAttributes) {
    this.#attributes = attributes
    this.#roots = new Set(Object.keys(attributes).map((name) => name.split('.', 1)[0] as string))
  }

  /** `looping`: inside all, exists, map or filter. */
  typeOf(part: CelExpression, locals: Locals, looping: boolean): CelType {
    if (++this.#parts > mostParts) throw new Fault(part, `has more than ${mostParts} parts`)
    const { exprKind } = part
    const of = (inner: CelExpression | undefined): CelType => {
      if (inner === undefined) throw new Fault(part, 'is not complete')
      return this.typeOf(inner, locals, looping)
    }
    switch (exprKind.case) {
      case 'constExpr': {
        const type = constants[exprKind.value.constantKind.case ?? '']
        if (type === undefined)
          throw new Fault(part, `a constant of type ${exprKind.value.constantKind.case} is not supported`)
        return type
      }
      case 'identExpr':
      case 'selectExpr':
        return this.#named(part, locals, of)
      case 'callExpr':
        return this.#call(part, exprKind.value, of)
      case 'listExpr':
        exprKind.value.elements.forEach(of)
        return 'list'
      case 'structExpr':
        if (exprKind.value.messageName !== '')
          throw new Fault(part, `messages are not known here: ${exprKind.value.messageName}`)
        for (const { keyKind, value } of exprKind.value.entries) {
          if (keyKind.case === 'mapKey') of(keyKind.value as CelExpression)
          of(value)
        }
        return 'map'
      case 'comprehensionExpr':
        if (looping) throw new Fault(part, 'a loop within a loop is not supported: its cost has no bound')
        return this.#loop(part, exprKind.value, locals)
      case undefined:
      default:
        throw new Fault(part, 'is not complete')
    }
  }

  #named(part: CelExpression, locals: Locals, of: (inner: CelExpression | undefined) => CelType): CelType {
    const name = dottedName(part)
    const local = name === undefined ? undefined : locals.get(name)
    if (local !== undefined) return local
    if (name !== undefined && Object.hasOwn(this.#attributes, name)) return this.#attributes[name] as CelType
    const root = name?.split('.', 1)[0] ?? ''
    const isField = Object.keys(this.#attributes).some((known) => name?.startsWith(`${known}.`))
    if (name !== undefined && !locals.has(root) && !isField) {
      const known = Object.keys(this.#attributes).join(', ')
      throw new Fault(part, `"${name}" is not known here: expected one of ${known}`)
    }
    if (part.exprKind.case !== 'selectExpr') throw new Fault(part, 'is not complete')
    const { operand, field, testOnly } = part.exprKind.value
    const outer = operand === undefined ? undefined : dottedName(operand)
    if (testOnly && outer !== undefined && Object.hasOwn(this.#attributes, `${outer}.${field}`)) return 'bool'
    const type = of(operand)
    if (type !== 'map' && type !== 'strings' && type !== 'dyn')
      throw new Fault(part, `a ${type} has no field "${field}"`)
    if (testOnly) return 'bool'
    return type === 'strings' ? 'string' : 'dyn'
  }

  #call(part: CelExpression, call: CelCall, of: (inner: CelExpression | undefined) => CelType): CelType {
    const given = call.target === undefined ? call.args : [call.target, ...call.args]
    const types = given.map(of)
    const overloads = functions[call.function]
    const name = call.function.replaceAll(/^_|_$|^@/g, '')
    if (overloads === undefined) throw new Fault(part, `the function ${name} is not known here`)
    const results = new Set(overloads.map((overload) => overload(types)).filter((result) => result !== undefined))
    if (results.size > 0) {
      if (call.function === 'matches' && literalText(given[1]) === undefined)
        throw new Fault(part, 'matches takes a literal: an expression that a caller may choose is not compiled')
      return results.size === 1 ? ([...results][0] as CelType) : 'dyn'
    }
    throw new Fault(part, `${name} does not take ${types.join(' and ') || 'nothing'}`)
  }

  #loop(part: CelExpression, loop: CelComprehension, locals: Locals): CelType {
    const { iterVar, accuVar, iterRange, accuInit, loopCondition, loopStep, result } = loop
    if (iterRange === undefined || accuInit === undefined || result === undefined)
      throw new Fault(part, 'is not complete')
    if (this.#roots.has(iterVar)) throw new Fault(part, `"${iterVar}" means something else already: take another name`)
    const range = this.typeOf(iterRange, locals, true)
    if (!['list', 'map', 'strings', 'dyn'].includes(range)) throw new Fault(part, `a ${range} has no elements`)
    const accumulated = this.typeOf(accuInit, locals, true)
    if (!['bool', 'int', 'list'].includes(accumulated))
      throw new Fault(part, `a loop that makes a ${accumulated} is not supported`)
    const inner = new Map([...locals, [accuVar, accumulated] as const])
    const each = new Map([...inner, [iterVar, range === 'strings' ? 'string' : 'dyn'] as const])
    for (const one of [loopCondition, loopStep]) {
      if (one === undefined) throw new Fault(part, 'is not complete')
      this.typeOf(one, each, true)
    }
    return this.typeOf(result, inner, true)
  }
}

/** Undefined: it is none. */
function literalText(part: CelExpression | undefined): string | undefined {
  const constant = part?.exprKind.case === 'constExpr' ? part.exprKind.value.constantKind : undefined
  return constant?.case === 'stringValue' ? (constant.value as string) : undefined
}

/** The regular expressions in it. */
export function celPatterns(expression: CelExpression): { readonly pattern: string; readonly part: CelExpression }[] {
  const found: { pattern: string; part: CelExpression }[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const { exprKind } = value as Partial<CelExpression>
    if (exprKind?.case === 'callExpr' && exprKind.value.function === 'matches') {
      const part = exprKind.value.args.at(-1)
      const pattern = literalText(part)
      if (part !== undefined && pattern !== undefined) found.push({ pattern, part })
    }
    for (const inner of Object.values(value)) visit(inner)
  }
  visit(expression)
  return found
}

/** Undefined: it does not take these. */
type Overload = (types: readonly CelType[]) => CelType | undefined

function takes(result: CelType, ...wanted: readonly CelType[]): Overload {
  return (types) =>
    types.length === wanted.length &&
    wanted.every((type, i) => type === 'dyn' || types[i] === 'dyn' || types[i] === type)
      ? result
      : undefined
}

const numbers: readonly CelType[] = ['int', 'uint', 'double']
const ordered: readonly CelType[] = [...numbers, 'string', 'bool']
const same = (...types: readonly CelType[]): Overload[] => types.map((type) => takes(type, type, type))

/** Numbers are compared with each other, whatever their type. */
function comparable([a, b]: readonly CelType[]): boolean {
  const kind = (type: CelType | undefined): CelType | undefined => {
    if (type === 'strings') return 'map'
    return type !== undefined && numbers.includes(type) ? 'double' : type
  }
  return a === 'dyn' || b === 'dyn' || a === 'null' || b === 'null' || kind(a) === kind(b)
}

const equality: Overload[] = [(types) => (comparable(types) ? 'bool' : undefined)]
const order: Overload[] = [
  (types) =>
    comparable(types) && types.every((type) => type === 'dyn' || ordered.includes(type)) ? 'bool' : undefined,
]
const ofTexts: Overload[] = [takes('bool', 'string', 'string')]
const arithmetic = same('int', 'uint', 'double')
const conversion = (result: CelType): Overload[] => ordered.map((type) => takes(result, type))

const functions: Readonly<Record<string, readonly Overload[] | undefined>> = {
  '_&&_': [takes('bool', 'bool', 'bool')],
  '_||_': [takes('bool', 'bool', 'bool')],
  '!_': [takes('bool', 'bool')],
  '@not_strictly_false': [takes('bool', 'bool')],
  '_?_:_': [([test, then, other]) => (test === 'bool' || test === 'dyn' ? (then === other ? then : 'dyn') : undefined)],
  '_==_': equality,
  '_!=_': equality,
  '_<_': order,
  '_<=_': order,
  '_>_': order,
  '_>=_': order,
  '@in': [takes('bool', 'dyn', 'list'), takes('bool', 'dyn', 'map'), takes('bool', 'string', 'strings')],
  '_[_]': [takes('string', 'strings', 'string'), takes('dyn', 'list', 'int'), takes('dyn', 'map', 'dyn')],
  '_+_': same('string', 'list', 'int', 'uint', 'double'),
  '_-_': arithmetic,
  '_*_': arithmetic,
  '_/_': arithmetic,
  '_%_': same('int', 'uint'),
  '-_': [takes('int', 'int'), takes('double', 'double')],
  size: (['string', 'list', 'map', 'strings'] as const).map((type) => takes('int', type)),
  contains: ofTexts,
  startsWith: ofTexts,
  endsWith: ofTexts,
  matches: ofTexts,
  string: conversion('string'),
  int: conversion('int'),
  uint: conversion('uint'),
  double: conversion('double'),
  bool: [takes('bool', 'bool'), takes('bool', 'string')],
}
