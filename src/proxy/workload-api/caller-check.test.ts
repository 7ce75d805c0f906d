import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, it } from 'vitest'

import type { UnixPeers } from '../../core/unix-peers.ts'
import { checkCaller } from './caller-check.ts'

const socket = {} as Socket

/** A process of user 1001 and group 2001 that runs `runs`, whatever it calls it. */
function peers(runs: string, calledPath = runs): UnixPeers {
  return {
    credentials: () => ({ pid: 7, uid: 1001, gid: 2001 }),
    executable() {
      const { dev, ino } = statSync(runs, { bigint: true })
      return { path: calledPath, dev, ino }
    },
  }
}

function gone(): never {
  throw new Error('the calling process has ended')
}

describe('a caller of a Workload API', () => {
  let folder: string
  const file = (name: string): string => join(folder, name)

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'heddle-callers-'))
    for (const name of ['reviews', 'other']) writeFileSync(file(name), '')
    return () => rmSync(folder, { recursive: true })
  })

  it('gets in when every registered field matches', () => {
    const path = file('reviews')
    for (const registered of [
      { uid: 1001 },
      { gid: 2001 },
      { path },
      { uid: 1001, gid: 2001 },
      { uid: 1001, gid: 2001, path },
    ])
      expect(checkCaller(registered, peers(path), socket)).toBeUndefined()
  })

  it('hears the first field that does not match, and not what would', () => {
    const path = file('reviews')
    expect(checkCaller({ uid: 1002, path }, peers(path), socket)).toEqual({
      reason: 'uid',
      message: 'uid 1001 is not registered for this workload',
      caller: { pid: 7, uid: 1001, gid: 2001 },
    })
    expect(checkCaller({ uid: 1001, gid: 0 }, peers(path), socket)).toMatchObject({ reason: 'gid' })
    expect(checkCaller({ uid: 0 }, peers(path), socket)).toMatchObject({ reason: 'uid' })
    expect(checkCaller({ uid: 1001, path }, peers(file('other')), socket)).toMatchObject({
      reason: 'path',
      message: `executable ${file('other')} is not registered for this workload`,
      caller: { path: file('other') },
    })
  })

  it('is known by the file it runs, not by its name', () => {
    symlinkSync(file('reviews'), file('link'))
    expect(checkCaller({ path: file('link') }, peers(file('reviews')), socket)).toBeUndefined()
    expect(checkCaller({ path: file('reviews') }, peers(file('other'), file('reviews')), socket)).toMatchObject({
      reason: 'path',
    })
    expect(checkCaller({ path: file('gone') }, peers(file('other'), file('gone')), socket)).toMatchObject({
      reason: 'path',
    })
  })

  it('does not get in when it is not known who it is', () => {
    const refusal = { reason: 'caller', message: 'the calling process has ended' }
    const known = peers(file('reviews'))
    expect(checkCaller({ uid: 1001 }, { ...known, credentials: gone }, socket)).toMatchObject(refusal)
    expect(checkCaller({ path: file('reviews') }, { ...known, executable: gone }, socket)).toMatchObject(refusal)
    // what is not asked for is not looked at
    expect(checkCaller({ uid: 1001 }, { ...known, executable: gone }, socket)).toBeUndefined()
  })
})
