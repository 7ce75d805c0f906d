// An upstream signer whose key is elsewhere (Vault, cert-manager, an HSM): a program of the user's has the intermediate signed there.
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'

import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import type { Clock } from '../../core/clock.ts'
import { errorCode } from '../../core/errors.ts'
import { intermediateRequest } from './intermediate-request.ts'
import { intermediateFault, keptUpstream, readAuthorityChain } from './upstream-chain.ts'
import type { UpstreamSigner } from './upstream-signer.ts'

export interface UpstreamCommand {
  /** PEM: the certificate whose key the program has sign, its root last. */
  readonly certificateFile: string
  /** Gets a PKCS#10 request on stdin and writes the certificate to stdout, both PEM. */
  readonly program: string
  /** What the program gets, beside what it is asked. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const timeoutMs = 20_000
const mostBytes = 64 * 1024

/** Throws when the certificates are no certificate authority for the trust domain. The program is not run before it is asked. */
export function commandUpstream(command: UpstreamCommand, trustDomain: string, clock: Clock): UpstreamSigner {
  const chain = readAuthorityChain(command.certificateFile, trustDomain, clock.nowMs())
  const [issuer] = chain
  return {
    ...keptUpstream(chain),
    async askForIntermediate(keys, notAfterMs) {
      const endMs = Math.min(notAfterMs, issuer.validToDate.getTime())
      const environment = {
        ...command.environment,
        // oxlint-disable-next-line no-restricted-globals -- formatting a given instant reads no clock
        HEDDLE_CA_NOT_AFTER: new Date(endMs).toISOString().replace(/\.\d+Z$/, 'Z'),
        HEDDLE_CA_TRUST_DOMAIN: trustDomain,
      }
      const output = await run({ ...command, environment }, intermediateRequest(keys, trustDomain), clock)
      const certificate = firstCertificate(command.program, output)
      const rules = { publicKey: keys.publicKey, issuer, trustDomain, nowMs: clock.nowMs() }
      const fault = intermediateFault(certificate, rules)
      if (fault !== undefined) throw new Error(`the certificate of ${command.program} cannot be used: ${fault}`)
      return certificate.raw
    },
  }
}

/** Without a shell. Resolves with what it wrote to stdout. */
function run({ program, environment }: UpstreamCommand, input: string, clock: Clock): Promise<string> {
  return new Promise((resolve, reject) => {
    let isLate = false
    const options = { env: environment, killSignal: 'SIGKILL', maxBuffer: mostBytes } as const
    const child = execFile(program, [], options, (error, stdout, stderr) => {
      deadline.cancel()
      if (error === null) resolve(stdout)
      else {
        const failure = isLate ? `did not end within ${timeoutMs / 1_000} s` : failureOf(error)
        reject(new Error(`${program} ${failure}${firstLines(stderr)}`, { cause: error }))
      }
    })
    const deadline = clock.setTimer(timeoutMs, () => {
      isLate = true
      // whatever it has started may hold these open
      child.stdout?.destroy()
      child.stderr?.destroy()
      child.kill('SIGKILL')
    })
    // whoever ends without reading says why by its exit code
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

function failureOf(error: Error & { readonly code?: unknown; readonly signal?: unknown }): string {
  if (errorCode(error) === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `wrote more than ${mostBytes / 1024} KiB`
  if (typeof error.code === 'number') return `ended with exit code ${error.code}`
  return typeof error.signal === 'string' ? `was ended by ${error.signal}` : `cannot be run (${String(error.code)})`
}

function firstLines(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return lines.length === 0 ? '' : `: ${lines.slice(0, 3).join(' | ').slice(0, 500)}`
}

/** What comes after it is passed over: --ca-cert says what is above. */
function firstCertificate(program: string, output: string): X509Certificate {
  const [der] = certificatesFromPem(output)
  if (der === undefined) throw new Error(`${program} wrote no certificate in PEM to stdout`)
  try {
    return new X509Certificate(der)
  } catch (error) {
    throw new Error(`the certificate of ${program} cannot be read`, { cause: error })
  }
}
