// The long-running parts that some verbs start in this process. bin/ gives them: the CLI knows their options only.
import type { CertificateAuthorityFiles } from './certificate-authority.ts'

export interface ControlPlaneOptions {
  readonly stateDir: string
  /** Files and folders with documents, absolute. */
  readonly files: readonly string[]
  readonly portBase: number
  /** Absent: none is served. */
  readonly dashboard?: DashboardOptions
  /** Of a server that keeps what proxies are scraped for: "http://127.0.0.1:9090". */
  readonly prometheusUrl?: string
  /** The user's own certificate authority, absolute; absent: the embedded one. */
  readonly certificateAuthority?: CertificateAuthorityFiles
  /** Stop when the channel to the process that started this one closes. */
  readonly parentWatch: boolean
  readonly verbose: boolean
}

export interface DashboardOptions {
  /** Absent: one from the port base on. */
  readonly port?: number
}

export interface ProxyOptions {
  readonly bootstrapFile: string
  /** Processes that share its ports. */
  readonly workers: number
  /** Workers, one also, run under Node's permission model. */
  readonly sandbox: boolean
  readonly io: 'auto' | 'raw' | 'net'
}

/** Both run until they are told to stop. They reject when they cannot start. */
export interface Roles {
  controlPlane(options: ControlPlaneOptions): Promise<void>
  proxy(options: ProxyOptions): Promise<void>
}
