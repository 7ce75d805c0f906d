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

/** The stack begins as Node's own messages do: ":line", lines around it, and carets below the place. What would have been better is left out. */
function faultOf(error: unknown): { message: string; line: number; column: number } {
  const { message, stack = '' } = error as Error
  const line = Number(/^:(\d+)\n/.exec(stack)?.[1] ?? 1)
  const carets = /^ *\^+$/m.exec(stack)?.[0] ?? ''
  return { message: message.replace(/\. Expected .*$/s, ''), line, column: Math.max(0, carets.indexOf('^')) + 1 }
}
