// Text of others for a terminal: paths, names, headers and messages are shown, and never obeyed. All that a verb prints passes one of these.

/**
 * Controls, lone surrogates, line separators, and what is invisible or changes the direction; not the joiners that scripts and emoji need. U+2065
 * is assigned to nothing, and just as invisible.
 */
const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u2065]|(?![\u200c\u200d])\p{Cf}/gu
const notAscii = /[^\u0020-\u007e]/gu
/** More marks on one letter are written over the lines above. */
const heapOfMarks = /(\p{M}{4})\p{M}+/gu
const mostLength = 1_000

/** One line of at most 1,000 characters. `isUnicode`: whether the terminal shows more than ASCII. */
export function printable(text: string, isUnicode = true): string {
  const cut = text.length > mostLength ? `${text.slice(0, mostLength - 1)}${isUnicode ? '…' : '~'}` : text
  const line = cut.replaceAll(/\s*\n\s*|\t/g, ' ').replaceAll(unprintable, escapeShown)
  return isUnicode ? line.replaceAll(heapOfMarks, '$1') : line.replaceAll(notAscii, escapeShown)
}

/** Colours and the like, as Heddle and applications use them; not what hides a text. */
// oxlint-disable-next-line no-control-regex -- the escape sequences of colours start with a control character
const colour = /(\u001B\[(?:(?!0*8[;m])\d{1,3}(?:;(?!0*8[;m])\d{1,3})*)?m)/

/** Several lines with colours, as messages are. */
export function printableLines(text: string): string {
  return text
    .split(colour)
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll(unprintable, escapeButLines)))
    .join('')
}

/** The same value, with nothing in it that a terminal obeys. */
export function printableJson(json: string): string {
  return json.replaceAll(unprintable, (found) =>
    found === '\n'
      ? found
      : found
          .split('')
          .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
          .join(''),
  )
}

/** Only texts in double quotes can say what is not to be shown. */
const quoted = { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'QUOTE_DOUBLE' } as const

/** YAML with the same value, likewise; `render` writes it, as these options of the library say. */
export function printableYaml(render: (options: Partial<typeof quoted>) => string): string {
  const text = render({})
  if (text.replaceAll('\n', '').search(unprintable) < 0) return text
  return render(quoted).replaceAll(unprintable, (found) => {
    const code = found.codePointAt(0) as number
    if (found === '\n') return found
    return code > 0xff_ff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`
  })
}

function escapeShown(found: string): string {
  const code = found.codePointAt(0) as number
  return code < 0x1_00 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 1)}}`
}

function escapeButLines(found: string): string {
  return found === '\n' || found === '\t' ? found : escapeShown(found)
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
