// `--ca-cert` with `--ca-key` or `--ca-command`, of `up` and `control-plane`: the user's own certificate authority in place of the embedded one.
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

import { CliError } from './cli-error.ts'

export interface CertificateAuthorityOptions {
  readonly caCert?: string
  readonly caKey?: string
  readonly caCommand?: string
}

export type CertificateAuthorityFiles =
  | { readonly certificateFile: string; readonly keyFile: string }
  /** `program` has the mesh's intermediate signed by whoever holds the key. */
  | { readonly certificateFile: string; readonly program: string }

/** Absolute; undefined when none is given. Throws CliError when one is missing. */
export function certificateAuthorityFiles(
  { caCert, caKey, caCommand }: CertificateAuthorityOptions,
  workingDirectory: string,
): CertificateAuthorityFiles | undefined {
  if (caCert === undefined && caKey === undefined && caCommand === undefined) return undefined
  if (caKey !== undefined && caCommand !== undefined) {
    throw new CliError('--ca-key and --ca-command exclude each other', {
      hint: 'the key is either in a file, or where the program has it sign',
    })
  }
  const signing = caKey ?? caCommand
  if (caCert === undefined || signing === undefined) {
    throw new CliError('--ca-cert and --ca-key belong together', {
      hint: 'give the file of each, or neither; --ca-command stands for --ca-key where the key is elsewhere',
    })
  }
  const certificateFile = existing(resolve(workingDirectory, caCert))
  const file = existing(resolve(workingDirectory, signing))
  if (caKey !== undefined) return { certificateFile, keyFile: file }
  if (isExecutable(file)) return { certificateFile, program: file }
  throw new CliError(`${file} is no program that can be run`, {
    hint: '--ca-command takes an executable file, without arguments: write a script, and run chmod +x',
  })
}

export function certificateAuthorityArguments(
  options: CertificateAuthorityOptions,
  workingDirectory: string,
): readonly string[] {
  const files = certificateAuthorityFiles(options, workingDirectory)
  if (files === undefined) return []
  const signing = 'keyFile' in files ? ['--ca-key', files.keyFile] : ['--ca-command', files.program]
  return ['--ca-cert', files.certificateFile, ...signing]
}

function existing(file: string): string {
  if (existsSync(file)) return file
  throw new CliError(`there is no file ${file}`, {
    hint: 'check the paths given to --ca-cert, --ca-key and --ca-command',
  })
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
