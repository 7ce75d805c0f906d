import { describe, expect, it } from 'vitest'

import type { CliContext } from '../context.ts'
import type { CliHost } from '../host.ts'
import { Output } from '../output.ts'
import { LivePicture } from './live-picture.ts'

function picture(
  onOwnScreen: boolean,
  stdout: Partial<CliHost['stdout']>,
): { picture: LivePicture; written: () => string } {
  let text = ''
  const host = {
    stdout: { write: (more: string) => (text += more), ...stdout },
    stderr: {},
    env: {},
  } as unknown as CliHost
  const context = { host, output: new Output(host) } as unknown as CliContext
  return { picture: new LivePicture(context, { onOwnScreen }), written: () => text }
}

describe('a live picture', () => {
  it('is text after text where there is no terminal', () => {
    const { picture: one, written } = picture(true, {})
    one.draw('a\nb\n')
    one.close()
    expect(written()).toBe('a\nb\n\n')
  })

  it('is no higher than the terminal, and says what is left out', () => {
    const { picture: one, written } = picture(false, { isTTY: true, rows: 4 })
    one.draw('a\nb\nc\nd\ne\n')
    expect(written()).toContain('a\u001B[K\nb\u001B[K\n3 lines more\u001B[K\u001B[J')
    expect(written()).not.toContain('c\u001B')
  })

  it('gives a screen of its own back', () => {
    const { picture: one, written } = picture(true, { isTTY: true })
    expect(written()).toMatch(/^\S*\[\?1049h/)
    one.close()
    expect(written()).toMatch(/\[\?25h\S*\[\?1049l$/)
  })
})
