// How a verb reaches a control plane without its state directory: an address and a token of one's own. Never a token as an argument: the titles
// of processes are for everybody to read.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'

import { errorMessage } from '../../core/errors.ts'
import { CliError } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'

export const tokenVariable = 'HEDDLE_TOKEN'
export const addressVariable = 'HEDDLE_ADDRESS'

/** What was said about it; undefined: nothing, so that the state directory says. Throws CliError. */
export function givenAddress({ host }: CliContext, { address }: Pick<MeshOptions, 'address'>): string | undefined {
  const text = address ?? host.env[addressVariable]
  if (text === undefined || text === '') return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain = url?.protocol === 'http:' && url.pathname === '/' && url.search + url.hash + url.username === ''
  if (url === undefined || !plain || !isLoopback(url.hostname)) {
    throw new CliError(`"${text}" is not the address of a control plane: expected one such as http://127.0.0.1:15014`, {
      hint: 'its API is on loopback, in plain HTTP: bring it here with `ssh -L 15014:127.0.0.1:15014 HOST`',
    })
  }
  return url.origin
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'))
}

export function givenToken({ host }: CliContext, { tokenFile }: Pick<MeshOptions, 'tokenFile'>): string | undefined {
  if (tokenFile === undefined) return checkedToken(host.env[tokenVariable], tokenVariable)
  let text: string
  try {
    text = readFileSync(resolve(host.workingDirectory, tokenFile), 'utf8')
  } catch (error) {
    throw new CliError(`cannot read the token: ${errorMessage(error)}`, {
      hint: 'check the path given to --token-file',
    })
  }
  return checkedToken(text.trim(), tokenFile) ?? noToken(tokenFile)
}

/** Of what is none nothing is shown. */
function checkedToken(text: string | undefined, from: string): string | undefined {
  if (text === undefined || text === '') return undefined
  return /^[\x21-\x7e]+$/.test(text) ? text : noToken(from)
}

function noToken(from: string): never {
  throw new CliError(`${from} holds no token`, { hint: '`heddle token create NAME --role ROLE` makes one' })
}
