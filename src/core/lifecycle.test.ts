import { describe, expect, it } from 'vitest'

import { Lifecycle } from './lifecycle.ts'

describe('Lifecycle', () => {
  it('stops in reverse order, once, and goes on past a failure', async () => {
    const stopped: string[] = []
    const lifecycle = new Lifecycle()
    lifecycle.onStop(() => void stopped.push('first'))
    lifecycle.onStop(() => {
      throw new Error('second')
    })
    lifecycle.onStop(() => void stopped.push('third'))
    await expect(lifecycle.stop()).rejects.toThrow('stopping failed')
    await expect(lifecycle.stop()).rejects.toThrow('stopping failed')
    expect(stopped).toEqual(['third', 'first'])
  })
})
