// `--ca-cert` and `--ca-key` of `up` and `control-plane`: the user's own certificate authority in place of the embedded one.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

import { CliError } from './cli-error.ts'

export interface CertificateAuthorityOptions {
  readonly caCert?: string
  readonly caKey?: string
}

export interface CertificateAuthorityFiles {
  readonly certificateFile: string
  readonly keyFile: string
}

/** Absolute; undefined when neither is given. Throws CliError when one is missing. */
export function certificateAuthorityFiles(
  { caCert, caKey }: CertificateAuthorityOptions,
  workingDirectory: string,
): CertificateAuthorityFiles | undefined {
  if (caCert === undefined && caKey === undefined) return undefined
  if (caCert === undefined || caKey === undefined) {
    throw new CliError('--ca-cert and --ca-key belong together', { hint: 'give the file of each, or neither' })
  }
  const files = { certificateFile: resolve(workingDirectory, caCert), keyFile: resolve(workingDirectory, caKey) }
  const missing = Object.values(files).find((file) => !existsSync(file))
  if (missing === undefined) return files
  throw new CliError(`there is no file ${missing}`, { hint: 'check the paths given to --ca-cert and --ca-key' })
}

export function certificateAuthorityArguments(
  options: CertificateAuthorityOptions,
  workingDirectory: string,
): readonly string[] {
  const files = certificateAuthorityFiles(options, workingDirectory)
  return files === undefined ? [] : ['--ca-cert', files.certificateFile, '--ca-key', files.keyFile]
}
