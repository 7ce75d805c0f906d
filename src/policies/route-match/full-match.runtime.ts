// Regular expressions of routes: tested against a whole text, in the dialect that RE2 (which xDS and Gateway API name) and V8 share.

/** Escapes, character classes, lookaround: in this order a class hides what only looks like the others. */
const parts = /\\([\s\S])|\[(?:\\[\s\S]|\[:\^?\w+:\]|[^\]\\])*\]|\(\?<?[=!]/g
/** RE2 has no backreferences; the others mean something else there than in V8. */
const foreignEscapes = /^[1-9kpPAzQEC]$/
const foreignClasses = /^\[.*(?:\[:\^?\w+:\]|\\[pP])/s

/**
 * Throws an Error that names the expression when it is none, or one that RE2 refuses or reads differently.
 *
 * V8 backtracks: "(a+)+" can take exponential time on a hostile text. When the process runs with
 * `--enable-experimental-regexp-engine-on-excessive-backtracks`, V8 hands over to its linear engine after too many steps. That engine knows
 * neither backreferences nor lookaround nor the flags i, u and v: none of them is used here.
 */
export function compileFullMatch(expression: string): (text: string) => boolean {
  return compile(expression, (whole) => `^(?:${whole})$`)
}

/** As `compileFullMatch`, anywhere in the text. */
export function compileSearch(expression: string): (text: string) => boolean {
  return compile(expression, (anywhere) => anywhere)
}

/** As `compileFullMatch`, for all that it matches in a text, one after the other. */
export function compileMatches(expression: string): RegExp {
  return new RegExp(checked(expression), 'g')
}

function compile(expression: string, anchored: (expression: string) => string): (text: string) => boolean {
  const compiled = new RegExp(anchored(checked(expression)))
  return (text) => compiled.test(text)
}

/** Alone, before anything is put around it: "a)(?:b" is an error that a group would hide. */
function checked(expression: string): string {
  for (const [part, escaped] of expression.matchAll(parts)) {
    const foreign =
      escaped === undefined ? part.startsWith('(') || foreignClasses.test(part) : foreignEscapes.test(escaped)
    if (foreign) throw new Error(`not supported in a regular expression: ${part} in ${JSON.stringify(expression)}`)
  }
  try {
    RegExp(expression)
  } catch (error) {
    throw new Error(`not a regular expression: ${JSON.stringify(expression)}`, { cause: error })
  }
  return expression
}
