// `heddle control-plane` and `heddle proxy`: the parts that `heddle up` starts, each also by itself.
import { resolve } from 'node:path'

import { certificateAuthorityFiles, type CertificateAuthorityOptions } from '../certificate-authority.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext } from '../context.ts'
import type { ProxyOptions } from '../roles.ts'

export interface ControlPlaneVerbOptions extends CertificateAuthorityOptions {
  readonly file: readonly string[]
  readonly stateDir: string
  readonly portBase: number
  readonly dashboard: boolean
  readonly dashboardPort?: number
  readonly prometheus?: string
  readonly parentWatch: boolean
  readonly verbose: boolean
}

export async function controlPlane({ host, roles }: CliContext, options: ControlPlaneVerbOptions): Promise<ExitCode> {
  const certificateAuthority = certificateAuthorityFiles(options, host.workingDirectory)
  await roles.controlPlane({
    stateDir: resolve(host.workingDirectory, options.stateDir),
    files: options.file.map((file) => resolve(host.workingDirectory, file)),
    portBase: options.portBase,
    ...(options.dashboard && {
      dashboard: options.dashboardPort === undefined ? {} : { port: options.dashboardPort },
    }),
    ...(options.prometheus !== undefined && { prometheusUrl: options.prometheus }),
    ...(certificateAuthority && { certificateAuthority }),
    parentWatch: options.parentWatch,
    verbose: options.verbose,
  })
  return 0
}

export interface ProxyVerbOptions {
  readonly bootstrap: string
  readonly workers: number
  readonly sandbox: boolean
  readonly io: ProxyOptions['io']
}

export async function proxy({ host, roles }: CliContext, options: ProxyVerbOptions): Promise<ExitCode> {
  if (options.sandbox && options.io === 'raw') {
    throw new CliError("--sandbox and --io raw exclude each other: Node's permission model denies raw handles", {
      hint: 'leave out --io',
    })
  }
  await roles.proxy({
    bootstrapFile: resolve(host.workingDirectory, options.bootstrap),
    workers: options.workers,
    sandbox: options.sandbox,
    io: options.io,
  })
  return 0
}
