// Regular expressions of routes: tested against a whole text, in the dialect that RE2 (which xDS and Gateway API name) and V8 share.

/** Escapes, character classes, lookaround: in this order a class hides what only looks like the others. */
const parts = /\\([\s\S])|\[(?:\\[\s\S]|\[:\^?\w+:\]|[^\]\\])*\]|\(\?<?[=!]/g
/** RE2 has no backreferences; the others mean something else there than in V8. */
const foreignEscapes = /^[1-9kpPAzQEC]$/
const foreignClasses = /^\[.*(?:\[:\^?\w+:\]|\\[pP])/s

/**
 * Throws an Error that names the expression when it is none, or one that RE2 refuses or reads differently. The flags "(?i)" and "(?s)" may
 * stand in front.
 *
 * V8 backtracks: "(a+)+" can take exponential time on a hostile text. Without backreferences and lookaround, which are refused here, every
 * expression can be handed to V8's linear engine, which it does after too many steps when the process runs with
 * `--enable-experimental-regexp-engine-on-excessive-backtracks`.
 */
export function compileFullMatch(written: string): (text: string) => boolean {
  const flags = /^\(\?([is]+)\)/.exec(written)
  const expression = flags === null ? written : written.slice(flags[0].length)
  for (const [part, escaped] of expression.matchAll(parts)) {
    const foreign =
      escaped === undefined ? part.startsWith('(') || foreignClasses.test(part) : foreignEscapes.test(escaped)
    if (foreign) throw new Error(`not supported in a regular expression: ${part} in ${JSON.stringify(written)}`)
  }
  const letters = [...new Set(flags?.[1])].join('')
  let compiled: RegExp
  try {
    // Compiled alone first: "a)(?:b" is an error that the group around it would hide.
    compiled = new RegExp(expression, letters)
    compiled = new RegExp(`^(?:${expression})$`, letters)
  } catch (error) {
    throw new Error(`not a regular expression: ${JSON.stringify(written)}`, { cause: error })
  }
  return (text) => compiled.test(text)
}
