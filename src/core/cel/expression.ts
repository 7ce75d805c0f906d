// An expression of CEL (Common Expression Language), parsed: the shape that google.api.expr.v1alpha1.Expr, cel.expr.Expr and the library share.

/** As messages have it, or plain: an object of JSON, with whole numbers as texts. */
export interface CelExpression {
  readonly id: bigint | string
  readonly exprKind:
    | { readonly case: 'constExpr'; readonly value: CelConstant }
    | { readonly case: 'identExpr'; readonly value: { readonly name: string } }
    | { readonly case: 'selectExpr'; readonly value: CelSelect }
    | { readonly case: 'callExpr'; readonly value: CelCall }
    | { readonly case: 'listExpr'; readonly value: { readonly elements: readonly CelExpression[] } }
    | { readonly case: 'structExpr'; readonly value: CelStruct }
    | { readonly case: 'comprehensionExpr'; readonly value: CelComprehension }
    | { readonly case: undefined; readonly value?: undefined }
}

export interface CelConstant {
  readonly constantKind: { readonly case: string | undefined; readonly value?: unknown }
}

export interface CelSelect {
  readonly operand?: CelExpression | undefined
  readonly field: string
  /** has(operand.field). */
  readonly testOnly: boolean
}

export interface CelCall {
  readonly target?: CelExpression | undefined
  readonly function: string
  readonly args: readonly CelExpression[]
}

/** A map; with `messageName` a message. */
export interface CelStruct {
  readonly messageName: string
  readonly entries: readonly {
    readonly keyKind: { readonly case: string | undefined; readonly value?: unknown }
    readonly value?: CelExpression | undefined
  }[]
}

/** What the macros all, exists, exists_one, map and filter are short for. */
export interface CelComprehension {
  readonly iterVar: string
  readonly iterRange?: CelExpression | undefined
  readonly accuVar: string
  readonly accuInit?: CelExpression | undefined
  readonly loopCondition?: CelExpression | undefined
  readonly loopStep?: CelExpression | undefined
  readonly result?: CelExpression | undefined
}

/** "a.b.c" of a name or of a name's fields; undefined: it is something else. */
export function dottedName({ exprKind }: CelExpression): string | undefined {
  if (exprKind.case === 'identExpr') return exprKind.value.name.replace(/^\./, '')
  if (exprKind.case !== 'selectExpr' || exprKind.value.operand === undefined || exprKind.value.testOnly)
    return undefined
  const outer = dottedName(exprKind.value.operand)
  return outer === undefined ? undefined : `${outer}.${exprKind.value.field}`
}

/** What the parts of an expression are replaced by; undefined: its parts are looked at. */
export type CelReplace = (expression: CelExpression) => CelExpression | undefined

/** The outcome is plain. */
export function rewriteCel(expression: CelExpression, replace: CelReplace): CelExpression {
  return replace(expression) ?? (rewriteValue(expression, replace) as CelExpression)
}

function rewriteValue(value: unknown, replace: CelReplace): unknown {
  if (Array.isArray(value)) return value.map((one) => rewritten(one, replace))
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([name]) => !name.startsWith('$'))
  return Object.fromEntries(fields.map(([name, field]) => [name, rewritten(field, replace)]))
}

function rewritten(value: unknown, replace: CelReplace): unknown {
  return isExpression(value) ? rewriteCel(value, replace) : rewriteValue(value, replace)
}

function isExpression(value: unknown): value is CelExpression {
  return typeof value === 'object' && value !== null && 'exprKind' in value
}

/** Of a plain expression: as messages and the library have it. */
export function completeCel(expression: CelExpression): unknown {
  return completed(expression)
}

function completed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(completed)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).map(([name, field]) => [
    name,
    name === 'id' ? BigInt(String(field)) : completed(field),
  ])
  const whole = Object.fromEntries(fields) as Record<string, unknown>
  if (whole['case'] === 'int64Value' || whole['case'] === 'uint64Value') whole['value'] = BigInt(String(whole['value']))
  // the library's expressions know of optional elements
  if (whole['elements'] !== undefined) whole['optionalIndices'] = []
  return whole
}
