// What zod found wrong with a document → Problems, each at the very key or value, with the nearest right spelling.
import type { z } from 'zod'

import { problemCodes } from '../../contracts/problem.ts'
import type { ProblemCode } from '../../contracts/problem.ts'
import { nearest } from './nearest.ts'
import type { FieldPath } from './yaml-text.ts'

export interface SchemaFault {
  readonly code: ProblemCode
  readonly message: string
  readonly hint?: string
  readonly path: FieldPath
  /** The place is the key, not the value. */
  readonly atKey: boolean
  /** How far inside the value, a text. */
  readonly offset?: number
}

type Issue = z.core.$ZodIssue

/** All faults of `value`, in the order of the schema. `secret` keeps values out of the messages. */
export function schemaFaults(error: z.ZodError, schema: z.ZodType, value: unknown, secret: boolean): SchemaFault[] {
  return error.issues.flatMap((issue) => issueFaults(issue, [], schema, value, secret))
}

function issueFaults(
  issue: Issue,
  prefix: FieldPath,
  schema: z.ZodType,
  value: unknown,
  secret: boolean,
): SchemaFault[] {
  const path = [...prefix, ...issue.path]
  const found = valueAt(value, path)
  const wrong = (message: string, hint?: string): SchemaFault[] => [
    { code: 'HDL005', message, path, atKey: false, ...(hint === undefined ? {} : { hint }) },
  ]
  const shown = describe(found, secret)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownField(key, path, schema))
    case 'invalid_type':
      if (found === undefined) return [missingField(path, expectedType(issue.expected))]
      return wrong(
        `${fieldName(path)} must be ${expectedType(issue.expected)}, found ${shown}`,
        quotesHint(issue.expected, found),
      )
    case 'invalid_value': {
      const options = issue.values.map(String)
      if (found === undefined) return [missingField(path, `one of ${options.join(', ')}`)]
      const meant = typeof found === 'string' ? nearest(found, options) : undefined
      return wrong(
        `${fieldName(path)} must be one of ${options.join(', ')}, found ${shown}`,
        meant && `Did you mean "${meant}"?`,
      )
    }
    case 'too_big':
    case 'too_small': {
      const big = issue.code === 'too_big'
      const bound = String(big ? issue.maximum : issue.minimum)
      const bounds = `at ${big ? 'most' : 'least'} ${bound}`
      const plural = bound === '1' ? '' : 's'
      if (issue.origin === 'string') return wrong(`${fieldName(path)} must have ${bounds} character${plural}`)
      if (issue.origin === 'array')
        return wrong(
          `${fieldName(path)} must have ${bounds} item${plural}, found ${(found as readonly unknown[]).length}`,
        )
      return wrong(`${fieldName(path)} must be ${bounds}, found ${shown}`)
    }
    case 'invalid_format':
      return wrong(`${fieldName(path)} must be ${issue.message}, found ${shown}`)
    case 'invalid_key':
      return [
        {
          code: 'HDL005',
          message: `${fieldName(path)} is not ${issue.issues[0]?.message ?? 'a valid name'}`,
          path,
          atKey: true,
        },
      ]
    case 'invalid_union':
      return unionFaults(issue, path, schema, value, secret)
    case 'custom': {
      const code = issue.params?.['code'] as string | undefined
      const offset = issue.params?.['offset'] as number | undefined
      return [
        {
          code: code !== undefined && code in problemCodes ? (code as ProblemCode) : 'HDL005',
          message: issue.message,
          path,
          atKey: false,
          ...(offset === undefined ? {} : { offset }),
        },
      ]
    }
    case 'invalid_element':
    case 'not_multiple_of':
      break
  }
  return wrong(`${fieldName(path)}: ${issue.message}`)
}

/** Of the alternatives, the one that takes this type of value; when none does, all that would. */
function unionFaults(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: FieldPath,
  schema: z.ZodType,
  value: unknown,
  secret: boolean,
): SchemaFault[] {
  const isWrongType = (one: Issue | undefined): boolean => one?.code === 'invalid_type' && one.path.length === 0
  const fitting = issue.errors.find((errors) => !isWrongType(errors[0]))
  if (fitting !== undefined && valueAt(value, path) !== undefined)
    return fitting.flatMap((one) => issueFaults(one, path, schema, value, secret))
  const types = issue.errors.flatMap(([first]) =>
    first?.code === 'invalid_type' ? [expectedType(first.expected)] : [],
  )
  const expected = [...new Set(types)].join(' or ')
  const found = valueAt(value, path)
  if (found === undefined) return [missingField(path, expected)]
  return [
    {
      code: 'HDL005',
      message: `${fieldName(path)} must be ${expected}, found ${describe(found, secret)}`,
      path,
      atKey: false,
    },
  ]
}

function unknownField(key: string, path: FieldPath, schema: z.ZodType): SchemaFault {
  const known = knownFields(schema, path)
  const meant = nearest(key, known)
  return {
    code: 'HDL004',
    message: `unknown field "${key}"${path.length === 0 ? '' : ` in ${formatPath(path)}`}`,
    hint: meant === undefined ? `Known here: ${known.toSorted().join(', ')}.` : `Did you mean "${meant}"?`,
    path: [...path, key],
    atKey: true,
  }
}

function missingField(path: FieldPath, expected: string): SchemaFault {
  return { code: 'HDL006', message: `${fieldName(path)} is missing: expected ${expected}`, path, atKey: true }
}

/** `spec.rules[0].backendRefs[1].port`. */
export function formatPath(path: FieldPath): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === 'number' ? `${text}[${step}]` : text === '' ? String(step) : `${text}.${String(step)}`,
    '',
  )
}

function fieldName(path: FieldPath): string {
  const last = path.at(-1)
  if (last === undefined) return 'the document'
  return typeof last === 'number' ? `${String(path.at(-2))}[${last}]` : `"${String(last)}"`
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of fields',
  record: 'a map',
}

function quotesHint(expected: string, found: unknown): string | undefined {
  if (expected === 'string' && typeof found !== 'object') return 'Put it in quotes.'
  const isNumber = typeof found === 'string' && found.trim() !== '' && Number.isFinite(Number(found))
  return isNumber && (expected === 'number' || expected === 'int') ? 'Take the quotes away.' : undefined
}

function expectedType(name: string): string {
  return typeNames[name] ?? name
}

function describe(value: unknown, secret: boolean): string {
  if (Array.isArray(value)) return 'a list'
  if (value === null || value === undefined) return 'nothing'
  if (typeof value === 'object') return 'a map of fields'
  if (secret) return `a ${typeof value}`
  if (typeof value !== 'string') return `the ${typeof value} ${JSON.stringify(value)}`
  return `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`
}

function valueAt(value: unknown, path: FieldPath): unknown {
  let at = value
  for (const step of path)
    at = typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[step] : undefined
  return at
}

interface SchemaNode {
  readonly type: string
  readonly shape?: Readonly<Record<string, { readonly def: SchemaNode }>>
  readonly element?: { readonly def: SchemaNode }
  readonly innerType?: { readonly def: SchemaNode }
  readonly options?: readonly { readonly def: SchemaNode }[]
}

/** Names of the fields of the object that the schema has at that path. */
function knownFields(schema: z.ZodType, path: FieldPath): string[] {
  let nodes = unwrap((schema as unknown as { readonly def: SchemaNode }).def)
  for (const step of path)
    nodes = nodes.flatMap((node) => {
      const next = typeof step === 'number' ? node.element : node.shape?.[String(step)]
      return next === undefined ? [] : unwrap(next.def)
    })
  return nodes.flatMap((node) => Object.keys(node.shape ?? {}))
}

function unwrap(node: SchemaNode): SchemaNode[] {
  if (node.innerType !== undefined) return unwrap(node.innerType.def)
  if (node.options !== undefined) return node.options.flatMap((option) => unwrap(option.def))
  return [node]
}
