// Options of verbs that talk to a mesh, and how they answer.
import { Option } from 'commander'

import { addressVariable, tokenVariable } from './mesh/mesh-access.ts'
import { outputFormats } from './output.ts'

export function stateDirOption(): Option {
  return new Option('--state-dir <dir>', 'state directory of the mesh').default('.heddle')
}

export function addressOption(): Option {
  return new Option('--address <url>', `control plane without a state directory here (or ${addressVariable})`)
}

/** There is no option for the token itself: every user of the machine could read it. */
export function tokenFileOption(): Option {
  return new Option('--token-file <file>', `file with a token of your own (or ${tokenVariable} with the token)`)
}

export function outputOption(): Option {
  return new Option('-o, --output <format>').choices(outputFormats).default('table')
}
