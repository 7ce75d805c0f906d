// How many cells of a terminal a text takes. Pure.

const ascii = /^[\u0020-\u007e]*$/
const narrowless = /[\p{Mn}\p{Me}\u200c\u200d]/u
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
/** Asks that the character before be drawn as an emoji, which is wide. */
const emojiSelector = '\ufe0f'

/** Never less: what terminals draw as one emoji may count as its parts. */
export function textWidth(text: string): number {
  if (ascii.test(text)) return text.length
  let width = 0
  for (const character of text) width += widthOf(character)
  return width
}

/** As much of its begin as fits. */
export function startOf(text: string, width: number): string {
  let [left, end] = [width, 0]
  for (const character of text) {
    left -= widthOf(character)
    if (left < 0) break
    end += character.length
  }
  return text.slice(0, end)
}

function widthOf(character: string): number {
  if (ascii.test(character) || character === emojiSelector) return 1
  if (narrowless.test(character)) return 0
  return wide.test(character) ? 2 : 1
}
