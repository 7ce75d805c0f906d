// Conditions in CEL: as written → in Envoy's attributes ↔ google.api.expr.v1alpha1.Expr.
import { create } from '@bufbuild/protobuf'

import { conditionAttributes, tokenFilter, tokenPayload } from '../../contracts/condition-attributes.ts'
import { type Expr, ExprSchema } from '../../contracts/xds/gen/google/api/expr/v1alpha1/syntax_pb.ts'
import { type CelExpression, completeCel, dottedName, rewriteCel } from '../../core/cel/expression.ts'
import { parseCel } from '../../core/cel/library.ts'
import { checkCel } from '../../core/cel/type-check.ts'

/** What a rule's condition stands for at a port. Throws an Error where the schema should have refused it. */
export function conditionExpression(text: string, port: number): CelExpression {
  const parsed = parseCel(text)
  if ('message' in parsed) throw new Error(`condition: ${parsed.message}`)
  return rewriteCel(parsed.expression, (part) => replaced(part, port))
}

function replaced(part: CelExpression, port: number): CelExpression | undefined {
  const { id, exprKind } = part
  if (exprKind.case === 'selectExpr' && exprKind.value.testOnly && exprKind.value.operand !== undefined) {
    const name = `${dottedName(exprKind.value.operand)}.${exprKind.value.field}`
    if (name === 'source.principal') return select(id, ident(id, 'connection'), 'uri_san_peer_certificate', true)
    // A key that is not there is no error in this form.
    if (name === 'request.auth.claims')
      return call(id, '@in', constant(id, 'stringValue', tokenFilter), allMetadata(id))
    if (name === 'destination.port') return constant(id, 'boolValue', true)
    return undefined
  }
  switch (dottedName(part)) {
    case 'source.principal':
      return select(id, ident(id, 'connection'), 'uri_san_peer_certificate')
    case 'request.auth.claims':
      return index(id, index(id, allMetadata(id), tokenFilter), tokenPayload)
    // A listener's port may be another.
    case 'destination.port':
      return constant(id, 'int64Value', String(port))
    case undefined:
    default:
      return undefined
  }
}

function ident(id: CelExpression['id'], name: string): CelExpression {
  return { id, exprKind: { case: 'identExpr', value: { name } } }
}

function select(id: CelExpression['id'], operand: CelExpression, field: string, testOnly = false): CelExpression {
  return { id, exprKind: { case: 'selectExpr', value: { operand, field, testOnly } } }
}

function constant(id: CelExpression['id'], kind: string, value: unknown): CelExpression {
  return { id, exprKind: { case: 'constExpr', value: { constantKind: { case: kind, value } } } }
}

function call(id: CelExpression['id'], name: string, ...args: readonly CelExpression[]): CelExpression {
  return { id, exprKind: { case: 'callExpr', value: { function: name, args } } }
}

function index(id: CelExpression['id'], target: CelExpression, key: string): CelExpression {
  return call(id, '_[_]', target, constant(id, 'stringValue', key))
}

function allMetadata(id: CelExpression['id']): CelExpression {
  return select(id, ident(id, 'metadata'), 'filter_metadata')
}

export function encodeCondition(expression: CelExpression): Expr {
  return create(ExprSchema, completeCel(expression) as never)
}

/** Throws an Error that names `place` and what cannot be decided. */
export function decodeCondition(message: Expr, place: string): CelExpression {
  const expression = rewriteCel(message, () => undefined)
  const fault = checkCel(expression, conditionAttributes)
  if (fault !== undefined) throw new Error(`${place}: condition: ${fault.message}`)
  return expression
}
