// An expression of CEL, as text, with other names for what it asks about.
import { type CelExpression, dottedName } from './expression.ts'
import { parseCel } from './library.ts'

/** `names`: by dotted name. What cannot be parsed stays as it is. */
export function renameCelFields(text: string, names: ReadonlyMap<string, string>): string {
  const parsed = parseCel(text)
  if ('message' in parsed) return text
  const found = new Map<number, { readonly end: number; readonly name: string }>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const name = 'exprKind' in value ? fieldName(value as CelExpression) : undefined
    const renamed = name === undefined ? undefined : names.get(name)
    if (name === undefined || renamed === undefined) {
      for (const inner of Object.values(value)) visit(inner)
      return
    }
    const start = parsed.offsetOf(rootOf(value as CelExpression))
    const written = new RegExp(name.replaceAll('.', String.raw`\s*\.\s*`), 'y')
    written.lastIndex = start
    if (written.test(text)) found.set(start, { end: written.lastIndex, name: renamed })
  }
  visit(parsed.expression)
  let renamed = ''
  let at = 0
  for (const [start, { end, name }] of [...found].toSorted(([a], [b]) => a - b)) {
    renamed += text.slice(at, start) + name
    at = end
  }
  return renamed + text.slice(at)
}

/** As `dottedName`, and of what has(…) asks for. */
function fieldName(expression: CelExpression): string | undefined {
  const { exprKind } = expression
  if (exprKind.case !== 'selectExpr' || !exprKind.value.testOnly || exprKind.value.operand === undefined)
    return dottedName(expression)
  const outer = dottedName(exprKind.value.operand)
  return outer === undefined ? undefined : `${outer}.${exprKind.value.field}`
}

function rootOf(expression: CelExpression): CelExpression {
  const { exprKind } = expression
  return exprKind.case === 'selectExpr' && exprKind.value.operand !== undefined
    ? rootOf(exprKind.value.operand)
    : expression
}
