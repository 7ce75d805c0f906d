// The other trust domains of the mesh, as the settings say: one FederatedDomain each, and what all of them are trusted by now.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'

import type { FederatedDomainStatus } from '../../contracts/control-api.ts'
import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import type { TrustBundle } from '../../contracts/identity/svid.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { Random } from '../../core/random.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { FederationSpec } from '../../policies/federation/federation.spec.ts'
import { fetchBundle } from './bundle-fetch.ts'
import { FederatedDomain } from './federated-domain.ts'

/** Of another trust domain. */
export interface FederatedBundle extends TrustBundle {
  readonly jwtKeys: readonly BundleKey[]
}

export interface FederationOptions {
  readonly stateDir: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

export class Federation {
  /** Of the domains that have one. A new list whenever one of them changes. */
  readonly bundles: WatchableValue<readonly FederatedBundle[]> = new WatchableValue<readonly FederatedBundle[]>([])
  readonly #options: FederationOptions
  readonly #folder: string
  #domains: readonly FederatedDomain[] = []

  constructor(options: FederationOptions) {
    this.#options = options
    this.#folder = join(options.stateDir, 'federation')
  }

  /** Domains whose settings did not change go on undisturbed; the others are forgotten at once. */
  follow(spec: FederationSpec | undefined): void {
    const wanted = spec?.federatesWith ?? []
    const kept = this.#domains.filter((domain) => wanted.some((one) => isDeepStrictEqual(one, domain.spec)))
    for (const domain of this.#domains) if (!kept.includes(domain)) domain.stop()
    this.#forgetOthers(wanted.map(({ trustDomain }) => `${trustDomain}.json`))
    const deps = { ...this.#options, folder: this.#folder, fetch: fetchBundle, changed: () => this.#publish() }
    this.#domains = wanted.map(
      (one) => kept.find((domain) => isDeepStrictEqual(one, domain.spec)) ?? new FederatedDomain(one, deps),
    )
    this.#publish()
  }

  status(): readonly FederatedDomainStatus[] {
    return this.#domains.map((domain) => domain.status())
  }

  stop(): void {
    for (const domain of this.#domains) domain.stop()
  }

  #forgetOthers(names: readonly string[]): void {
    if (names.length > 0) mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    else if (!existsSync(this.#folder)) return
    for (const name of readdirSync(this.#folder)) if (!names.includes(name)) rmSync(join(this.#folder, name))
  }

  #publish(): void {
    const bundles = this.#domains.flatMap(({ spec: { trustDomain }, bundle }): FederatedBundle[] =>
      bundle === undefined ? [] : [{ trustDomain, rootsPem: bundle.rootsPem, jwtKeys: bundle.jwtKeys }],
    )
    if (!isDeepStrictEqual(bundles, this.bundles.value)) this.bundles.set(bundles)
  }
}
