// How far a rotation of the authority's certificates has come. Lies in <stateDir>/ca/rotation.json for as long as one is under way.
import { readFileSync, rmSync } from 'node:fs'

import type { RotationKind, RotationPhase } from '../../contracts/control-api.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { replaceFile } from './signer-files.ts'

export interface RotationState {
  readonly kind: RotationKind
  readonly phase: RotationPhase
  /** Milliseconds since the Unix epoch, as all that follow. */
  readonly startedAtMs: number
  readonly phaseSinceMs: number
  /** No SVID from before the phase is valid then: whoever has not renewed must join anew, and is not waited for. */
  readonly phaseEndsByMs: number
  /** Fingerprint of the intermediate that must go; absent when the root does. */
  readonly replacedIntermediate?: string
}

const phases: Readonly<Record<RotationKind, readonly RotationPhase[]>> = {
  // trusted everywhere before it signs; trusted on until nothing that it signed is in use
  root: ['distribute', 'switch', 'retire'],
  // proxies hold roots only: nobody needs to know of a new intermediate before it signs
  intermediate: ['switch'],
}

export function firstPhase(kind: RotationKind): RotationPhase {
  return phases[kind][0] as RotationPhase
}

/** Undefined: the rotation is over after `phase`. */
export function nextPhase({ kind, phase }: RotationState): RotationPhase | undefined {
  return phases[kind][phases[kind].indexOf(phase) + 1]
}

/** Undefined when no rotation is under way. Throws, with the way out, when the file is not what was written. */
export function readRotation(file: string): RotationState | undefined {
  try {
    const state = JSON.parse(readFileSync(file, 'utf8')) as RotationState
    if (!phases[state.kind].includes(state.phase)) throw new Error('it names no phase of a rotation')
    return state
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw new Error(
      `cannot go on with the rotation in ${file}: ${errorMessage(error)}; restore the folder from a backup`,
      { cause: error },
    )
  }
}

/** `undefined`: it is over. */
export function writeRotation(file: string, state: RotationState | undefined): void {
  if (state === undefined) rmSync(file, { force: true })
  else replaceFile(file, `${JSON.stringify(state, null, 2)}\n`)
}
