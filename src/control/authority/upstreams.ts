// Which upstream signer the proxies trust, and which one comes after it; both over restarts, in <stateDir>/ca.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { certificatesToPem } from '../../contracts/identity/pem.ts'
import type { Clock } from '../../core/clock.ts'
import { commandUpstream } from './command-upstream.ts'
import type { UpstreamCommand } from './command-upstream.ts'
import { embeddedUpstream } from './embedded-upstream.ts'
import { fileUpstream } from './file-upstream.ts'
import type { UpstreamKeyFiles } from './file-upstream.ts'
import { moveFile, replaceFile } from './signer-files.ts'
import { keptUpstream, readCertificates } from './upstream-chain.ts'
import type { UpstreamSigner } from './upstream-signer.ts'

/** The user's own certificate authority: its certificates, with the key in another file or elsewhere. */
export type UpstreamFiles = UpstreamKeyFiles | UpstreamCommand

export interface UpstreamsOptions {
  readonly folder: string
  readonly trustDomain: string
  readonly clock: Clock
  /** The user's own certificate authority; undefined: the embedded root. */
  readonly files: UpstreamFiles | undefined
  /** Whether an intermediate below it is there, or can be had at once; until then it is not taken. */
  readonly isReady: (upstream: UpstreamSigner) => boolean
}

export class Upstreams {
  readonly #options: UpstreamsOptions
  /** Key and certificate of the embedded root, or the certificates of the user's authority: its key stays where it is. */
  readonly #presentFile: string
  readonly #nextFile: string
  readonly #embeddedRootFile: string
  #present: UpstreamSigner
  #next: UpstreamSigner | undefined
  /** What the user's files hold. */
  #wanted: UpstreamSigner | undefined

  /** Throws, with the way out, when what is there cannot be used. */
  constructor(options: UpstreamsOptions) {
    const { folder, files } = options
    this.#options = options
    this.#embeddedRootFile = join(folder, 'root.pem')
    const upstreamFile = join(folder, 'upstream.pem')
    this.#presentFile = files === undefined ? this.#embeddedRootFile : upstreamFile
    this.#nextFile = join(folder, files === undefined ? 'next-root.pem' : 'next-upstream.pem')
    if (files === undefined) {
      if (existsSync(upstreamFile)) {
        throw new Error(
          `the proxies trust your own certificate authority (${upstreamFile}): start with --ca-cert and --ca-key or --ca-command, ` +
            `or remove the folder ${folder} to begin anew; every proxy must then join again`,
        )
      }
      this.#present = this.#embedded(this.#presentFile)
    } else {
      this.#wanted = readUpstream(files, options.trustDomain, options.clock)
      this.#present = this.#known() ?? this.#wanted
      this.#adopt(this.#wanted)
    }
  }

  get present(): UpstreamSigner {
    return this.#present
  }

  /** While the root is rotated. */
  get next(): UpstreamSigner | undefined {
    return this.#next
  }

  /** The user's files hold another root than the one that proxies trust, and it can sign. */
  get isNewRootWanted(): boolean {
    return this.#hasOtherRoot(this.#wanted) && this.#options.isReady(this.#wanted)
  }

  /** What the user's files hold and is not in force, for want of an intermediate below it. */
  get waiting(): UpstreamSigner | undefined {
    const wanted = this.#wanted
    if (wanted === undefined || wanted === this.#present || wanted === this.#next) return undefined
    // a rotation ends with the root that it began with
    const isItsTurn = this.#next === undefined || isSameRoot(wanted, this.#next)
    return isItsTurn && !this.#options.isReady(wanted) ? wanted : undefined
  }

  /** Throws when the root comes from files, and these hold no other. */
  prepareNext(): void {
    const { files } = this.#options
    if (files !== undefined && !this.#hasOtherRoot(this.#wanted)) {
      const itsKey = 'keyFile' in files ? ` and into ${files.keyFile}` : `, and have ${files.program} sign with it`
      throw new Error(`the root comes from ${files.certificateFile}: put the new certificate authority there${itsKey}`)
    }
    if (this.#wanted !== undefined && !this.#options.isReady(this.#wanted)) {
      throw new Error('the new certificate authority has given no intermediate yet: see the log of the control plane')
    }
    this.#next = this.#wanted ?? this.#embedded(this.#nextFile)
    if (this.#wanted !== undefined) writeChain(this.#nextFile, this.#wanted)
  }

  /** After a restart. False when there is no next one any more. */
  resumeNext(): boolean {
    if (!existsSync(this.#nextFile)) return false
    if (this.#wanted === undefined) this.#next = this.#embedded(this.#nextFile)
    else {
      const kept = keptUpstream(readCertificates(this.#nextFile))
      this.#next = isSameRoot(kept, this.#wanted) && this.#options.isReady(this.#wanted) ? this.#wanted : kept
    }
    return true
  }

  /** The user's files hold yet another root than the next one: it will never be able to sign. */
  get isNextOutdated(): boolean {
    return this.#next !== undefined && this.#wanted !== undefined && !isSameRoot(this.#next, this.#wanted)
  }

  /** Before it has signed anything. */
  dropNext(): void {
    this.#next = undefined
    rmSync(this.#nextFile, { force: true })
  }

  /** One rename: the next one is the present one. */
  promoteNext(): void {
    if (this.#next === undefined) return
    moveFile(this.#nextFile, this.#presentFile)
    // what came before the user's own
    if (this.#options.files !== undefined) rmSync(this.#embeddedRootFile, { force: true })
    this.#present = this.#next
    this.#next = undefined
  }

  /** Takes what the user's files hold now. Throws, and changes nothing, when they are no certificate authority. */
  reload(): void {
    if (this.#options.files === undefined) return
    this.#wanted = readUpstream(this.#options.files, this.#options.trustDomain, this.#options.clock)
    this.#adopt(this.#wanted)
  }

  /** An intermediate has come. */
  adoptWaiting(): void {
    if (this.#wanted !== undefined) this.#adopt(this.#wanted)
  }

  /** The same root needs no rotation, whatever is below it. */
  #adopt(wanted: UpstreamSigner): void {
    if (!this.#options.isReady(wanted)) return
    if (isSameRoot(wanted, this.#present)) {
      this.#present = wanted
      writeChain(this.#presentFile, wanted)
    } else if (this.#next !== undefined && isSameRoot(wanted, this.#next)) {
      this.#next = wanted
      writeChain(this.#nextFile, wanted)
    }
  }

  /** What the proxies trust from an earlier run. */
  #known(): UpstreamSigner | undefined {
    if (existsSync(this.#presentFile)) return keptUpstream(readCertificates(this.#presentFile))
    return existsSync(this.#embeddedRootFile) ? this.#embedded(this.#embeddedRootFile) : undefined
  }

  #embedded(file: string): UpstreamSigner {
    return embeddedUpstream(file, this.#options.trustDomain, this.#options.clock)
  }

  #hasOtherRoot(wanted: UpstreamSigner | undefined): wanted is UpstreamSigner {
    return wanted !== undefined && !isSameRoot(wanted, this.#present)
  }
}

/** Throws when they are no certificate authority for the trust domain. */
export function readUpstream(files: UpstreamFiles, trustDomain: string, clock: Clock): UpstreamSigner {
  return 'keyFile' in files ? fileUpstream(files, trustDomain, clock) : commandUpstream(files, trustDomain, clock)
}

function isSameRoot(a: UpstreamSigner, b: UpstreamSigner): boolean {
  return a.root.raw.equals(b.root.raw)
}

function writeChain(file: string, { issuers, root }: UpstreamSigner): void {
  replaceFile(file, certificatesToPem([...issuers, root].map(({ raw }) => raw)))
}
