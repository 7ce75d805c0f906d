// Which other trust domains are trusted, where their bundles come from, and where others get ours. No runtime here: proxies get bundles with
// their certificates.

/** `federation` of a MeshConfig. The fields of `federatesWith` are those of SPIRE's ClusterFederatedTrustDomain. */
export interface FederationSpec {
  /** Absent: our bundle is served nowhere. */
  readonly bundleEndpoint?: { readonly address: string; readonly port: number; readonly refreshHint: string }
  readonly federatesWith: readonly FederatedTrustDomainSpec[]
}

export interface FederatedTrustDomainSpec {
  readonly trustDomain: string
  /** The bundle itself: with a URL only what to begin with. */
  readonly trustDomainBundle?: string
  /** A file with it. */
  readonly trustDomainBundleFile?: string
  readonly bundleEndpointURL?: string
  readonly bundleEndpointProfile?:
    | { readonly type: 'https_web' }
    | { readonly type: 'https_spiffe'; readonly endpointSPIFFEID: string }
}
