// Templates of paths, in the form that Envoy's URI template match and rewrite have: "/v1/{user}/orders/{id=**}" → "/orders/{id}".

export interface TemplateFault {
  readonly message: string
  /** Of what is wrong, in the template. */
  readonly offset: number
}

export interface PathTemplate {
  /** RE2, for a whole path without query. */
  readonly pattern: string
  /** In the order of their groups. */
  readonly variables: readonly string[]
}

const literal = /[A-Za-z0-9\-._~%!$&'()+,;:@/]/
/** What a rewritten path may hold beside variables, its query included. */
const rewriteLiteral = /[A-Za-z0-9\-._~%!$&'()*+,;:@/?=]/
const variableName = /^[A-Za-z][A-Za-z0-9_]{0,31}$/
/** As many groups as a substitution can name. */
const mostVariables = 9

/** "*" stands for one element or a part of it, "**" for any number of them; "{id}" is "{id=*}". */
export function parsePathTemplate(template: string): PathTemplate | TemplateFault {
  if (!template.startsWith('/')) return { message: 'a template starts with "/"', offset: 0 }
  const variables: string[] = []
  let pattern = ''
  let open = false
  let whole = false
  for (let at = 0; at < template.length; at++) {
    const fault = (message: string, offset = at): TemplateFault => ({ message, offset })
    const sign = template[at] as string
    if (sign === '{') {
      if (open) return fault('a variable cannot be inside another')
      const [, name = '', next] = /^\{([^=}]*)([=}])?/.exec(template.slice(at)) ?? []
      if (next === undefined) return fault('"}" is missing')
      if (!variableName.test(name))
        return fault(`"${name}" is no name of a variable: a letter, then letters, digits and "_"`)
      if (variables.includes(name)) return fault(`the variable ${name} occurs twice`)
      if (variables.length === mostVariables) return fault(`a template has ${mostVariables} variables at the most`)
      if (whole) return fault('nothing but text may follow "**"')
      variables.push(name)
      open = next === '='
      pattern += open ? '(' : '([^/]+)'
      at += name.length + 1
      if (open && template[at + 1] === '}') return fault(`what ${name} stands for is missing`)
    } else if (sign === '}') {
      if (!open) return fault('no variable is open here')
      open = false
      pattern += ')'
    } else if (sign === '*') {
      if (whole) return fault('nothing but text may follow "**"')
      whole = template[at + 1] === '*'
      if (whole) at++
      pattern += whole ? '.*' : '[^/]+'
    } else if (literal.test(sign)) pattern += /[A-Za-z0-9]/.test(sign) ? sign : escapeSign(sign)
    else return fault(`"${sign}" cannot stand in a path`)
  }
  if (open) return { message: '"}" is missing', offset: template.lastIndexOf('{') }
  return { pattern: `^${pattern}$`, variables }
}

function escapeSign(sign: string): string {
  return /[$()+.]/.test(sign) ? `\\${sign}` : sign
}

/** The substitution for the pattern's groups. `allowed`: what may stand beside variables. */
export function parseRewriteTemplate(
  template: string,
  variables: readonly string[],
  allowed: RegExp = rewriteLiteral,
): string | TemplateFault {
  let substitution = ''
  for (let at = 0; at < template.length; at++) {
    const sign = template[at] as string
    if (sign === '{') {
      const end = template.indexOf('}', at)
      if (end === -1) return { message: '"}" is missing', offset: at }
      const name = template.slice(at + 1, end)
      const index = variables.indexOf(name)
      if (index === -1) {
        const known = variables.length === 0 ? 'there are none' : `known are ${variables.join(', ')}`
        return { message: `no variable of pathTemplate is called "${name}": ${known}`, offset: at }
      }
      substitution += `\\${index + 1}`
      at = end
    } else if (allowed.test(sign)) substitution += sign
    else return { message: `"${sign}" cannot stand here`, offset: at }
  }
  return substitution
}
