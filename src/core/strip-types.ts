// TypeScript → JavaScript as Node runs it: types become blanks, so that every token stays at its line and column.
import { stripTypeScriptTypes } from 'node:module'

export type StrippedText =
  | { readonly code: string }
  | { readonly fault: { readonly message: string; readonly line: number; readonly column: number } }

/** Only syntax that erases: no enums, namespaces with values, or parameter properties. */
export function stripTypes(text: string): StrippedText {
  try {
    return { code: silently(() => stripTypeScriptTypes(text, { mode: 'strip' })) }
  } catch (error) {
    return { fault: faultOf(error) }
  }
}

/** Node says once in every process that this is experimental. */
function silently<T>(run: () => T): T {
  const emitWarning = process.emitWarning.bind(process)
  process.emitWarning = (): void => {}
  try {
    return run()
  } finally {
    process.emitWarning = emitWarning
  }
}

/** The stack begins as Node's own messages do: ":line", the line, and carets below the place. */
function faultOf(error: unknown): { message: string; line: number; column: number } {
  const { message, stack = '' } = error as Error
  const [first = '', , carets = ''] = stack.split('\n')
  const line = Number(/:(\d+)$/.exec(first)?.[1] ?? 1)
  return { message, line, column: Math.max(0, carets.indexOf('^')) + 1 }
}
