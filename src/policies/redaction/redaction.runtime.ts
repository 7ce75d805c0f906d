// Takes out of paths and bodies what is for nobody's eyes: values of query parameters, of fields of JSON and of fields of forms.
import { isSecretName } from '../../contracts/secret-names.ts'
import type { RedactionSpec } from './redaction.spec.ts'

const redacted = '***'

/** JSON in a text of JSON, and so on. */
const deepest = 4

export class Redactor {
  readonly #fields: ReadonlySet<string>
  readonly #headers: ReadonlySet<string>

  constructor({ fields, headers }: RedactionSpec) {
    this.#fields = new Set(fields)
    this.#headers = new Set(headers)
  }

  /** `name` in lower case. */
  header(name: string, value: string): string {
    return this.#headers.has(name) ? redacted : value
  }

  /** Values of query parameters. */
  path(path: string): string {
    const query = path.indexOf('?') + 1
    return query === 0 ? path : path.slice(0, query) + this.#form(path.slice(query))
  }

  /** Also of the beginning of one. `type`: its media type. */
  body(text: string, type: string): string {
    const boundary = /^multipart\/[^;]*;.*boundary="?([^";]+)/i.exec(type)?.[1]
    if (boundary !== undefined) return this.#parts(text, boundary)
    // whatever it is called
    const isForm = /form-urlencoded/i.test(type) || /^[^\s=&{["]+=\S*$/.test(text)
    return isForm ? this.#form(text) : this.#json(text, 0)
  }

  #isSecret(name: string): boolean {
    return isSecretName(name) || this.#fields.has(name.toLowerCase())
  }

  /** Part by part: one expression for all of them would take cubic time on a hostile query. */
  #form(form: string): string {
    return form
      .split('&')
      .map((part) => {
        const value = part.indexOf('=') + 1
        return value > 0 && this.#isSecret(decodeName(part.slice(0, value - 1)))
          ? part.slice(0, value) + redacted
          : part
      })
      .join('&')
  }

  #parts(text: string, boundary: string): string {
    const delimiter = `--${boundary}`
    return text
      .split(delimiter)
      .map((part) => {
        const body = part.indexOf('\r\n\r\n') + 4
        const name = body < 4 ? undefined : /;\s*name="?([^";\r\n]*)/i.exec(part.slice(0, body))?.[1]
        return name !== undefined && this.#isSecret(name) ? `${part.slice(0, body)}${redacted}\r\n` : part
      })
      .join(delimiter)
  }

  /** Wherever a name and a colon stand, so that it may be cut, one document after another, or events. */
  #json(text: string, depth: number): string {
    let shown = ''
    let from = 0
    for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at)) {
      const end = endOfString(text, at)
      const colon = skipBlanks(text, end)
      const token = text.slice(at, end)
      at = end
      if (text[colon] !== ':') {
        const inner = depth < deepest && token.includes('\\"') ? this.#inner(token, depth) : token
        if (inner === token) continue
        shown += text.slice(from, end - token.length) + inner
        from = end
      } else if (this.#isSecret(unquote(token))) {
        const value = skipBlanks(text, colon + 1)
        shown += `${text.slice(from, value)}"${redacted}"`
        at = from = endOfValue(text, value)
      }
    }
    return shown + text.slice(from)
  }

  #inner(token: string, depth: number): string {
    const text = unquote(token)
    const shown = this.#json(text, depth + 1)
    return shown === text ? token : JSON.stringify(shown)
  }
}

/** Where nothing is configured. */
export const defaultRedactor: Redactor = new Redactor({ fields: [], headers: [] })

function decodeName(name: string): string {
  if (!/[%+]/.test(name)) return name
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}

/** What a string says; of one that is cut or wrong, its text. */
function unquote(token: string): string {
  try {
    return JSON.parse(token) as string
  } catch {
    return token.slice(1).replaceAll('\\"', '"')
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return at
}

/** Behind its second quote. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return text.length
}

function endOfValue(text: string, from: number): number {
  const first = text[from]
  if (first === '"') return endOfString(text, from)
  if (first !== '{' && first !== '[') {
    let at = from
    while (at < text.length && !',}]\n\r\t '.includes(text[at] as string)) at++
    return at
  }
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const character = text[at] as string
    if (character === '"') at = endOfString(text, at) - 1
    else if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1
  }
  return text.length
}
