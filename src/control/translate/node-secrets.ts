// SDS for data planes that are not Heddle's: a certificate of the identity that a node has shown, and the trust bundles. Its key is made here and is
// in memory alone, until the next one is due. Heddle's own proxies make theirs themselves, and never ask.
import { createHash } from 'node:crypto'

import { create, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { TrustBundle, X509Svid } from '../../contracts/identity/svid.ts'
import { SecretSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { ownCertificateSecret, trustBundleSecret, typeUrls } from '../../contracts/xds/names.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Watchable } from '../../core/watchable.ts'
import { encodeTrustBundles } from '../../policies/federation/federation.xds.ts'
import type { Revocations } from '../authority/revocations.ts'
import type { SigningSink } from '../telemetry/control-plane-metrics.ts'
import { buildCertificateSecret } from './build-secret.ts'
import type { EncodedResource, ResourceView } from './resource-view.ts'

export interface NodeSecretsOptions {
  readonly view: Watchable<ResourceView>
  readonly authority: {
    readonly trustBundle: TrustBundle
    readonly trustFingerprint: Watchable<string>
    readonly revocations: Pick<Revocations, 'refusesCertificate'>
    issueSvid(spiffeId: string): X509Svid
  }
  readonly federatedBundles: Watchable<readonly TrustBundle[]>
  /** Whether the mesh (still) has somebody of that SPIFFE ID. */
  readonly isWanted: (spiffeId: string) => boolean
  readonly metrics: Pick<SigningSink, 'signed'>
  readonly clock: Clock
  readonly logger: Logger
}

interface Issued {
  readonly resource: EncodedResource
  readonly notBeforeMs: number
  readonly renewal: Timer
}

const leastLifeMs = 1_000

export class NodeSecrets {
  /** The view with what nodes get besides. */
  readonly view: WatchableValue<ResourceView>
  readonly #options: NodeSecretsOptions
  readonly #issued = new Map<string, Issued>()
  readonly #unsubscribes: readonly (() => void)[]
  #trustBundles: EncodedResource | undefined

  constructor(options: NodeSecretsOptions) {
    this.#options = options
    this.view = new WatchableValue(this.#over(options.view.value))
    this.#unsubscribes = [
      options.view.subscribe(() => this.#show()),
      // what was signed by what is going must go with it
      options.authority.trustFingerprint.subscribe(() => this.#renewAll()),
    ]
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribes) unsubscribe()
    for (const { renewal } of this.#issued.values()) renewal.cancel()
  }

  #over(view: ResourceView): ResourceView {
    return {
      revision: view.revision,
      wildcardNames: (typeUrl, node) => view.wildcardNames(typeUrl, node),
      get: (typeUrl, name, node) => {
        const { spiffeId } = node
        if (typeUrl !== typeUrls.secret || spiffeId === undefined) return view.get(typeUrl, name, node)
        if (name === trustBundleSecret) return (this.#trustBundles ??= this.#encodeTrustBundles())
        return name === ownCertificateSecret ? this.#certificate(spiffeId) : view.get(typeUrl, name, node)
      },
    }
  }

  /** As a new view, so that streams look again. */
  #show(): void {
    this.view.set(this.#over(this.#options.view.value))
  }

  #renewAll(): void {
    for (const { renewal } of this.#issued.values()) renewal.cancel()
    this.#issued.clear()
    this.#trustBundles = undefined
    this.#show()
  }

  /** Made when first asked for, and again at half-life if somebody still asks. */
  #certificate(spiffeId: string): EncodedResource | undefined {
    const { authority, isWanted, metrics, clock, logger } = this.#options
    if (!isWanted(spiffeId)) return undefined
    const known = this.#issued.get(spiffeId)
    if (known !== undefined) {
      if (!authority.revocations.refusesCertificate(spiffeId, known.notBeforeMs)) return known.resource
      // who comes back after a revocation gets what counts
      known.renewal.cancel()
    }
    try {
      const svid = authority.issueSvid(spiffeId)
      const resource = encoded(buildCertificateSecret(ownCertificateSecret, svid))
      const lifeMs = Math.max(leastLifeMs, (svid.notAfterMs - clock.nowMs()) / 2)
      const renewal = clock.setTimer(lifeMs, () => {
        this.#issued.delete(spiffeId)
        this.#show()
      })
      this.#issued.set(spiffeId, { resource, notBeforeMs: svid.notBeforeMs, renewal })
      metrics.signed('x509', 'svid')
      logger.info('a certificate was made for a data plane', { spiffeId, notAfterMs: svid.notAfterMs })
      return resource
    } catch (error) {
      logger.error('a certificate for a data plane could not be made', { spiffeId, reason: errorMessage(error) })
      return undefined
    }
  }

  #encodeTrustBundles(): EncodedResource {
    const { authority, federatedBundles } = this.#options
    const value = encodeTrustBundles(authority.trustBundle, federatedBundles.value)
    return encoded({ name: trustBundleSecret, type: { case: 'validationContext', value } })
  }
}

function encoded(secret: MessageInitShape<typeof SecretSchema> & { readonly name: string }): EncodedResource {
  const body = toBinary(SecretSchema, create(SecretSchema, secret))
  return { name: secret.name, version: createHash('sha256').update(body).digest('base64url').slice(0, 16), body }
}
