// Ports of a host with one proxy, as Istio's users know them; with many proxies they are allocated from --port-base.

export const ports = {
  admin: 15000,
  outbound: 15001,
  inbound: 15006,
  xds: 15010,
  xdsTls: 15012,
  controlPlaneApi: 15014,
  webhook: 15017,
  healthAndMetrics: 15020,
} as const

/** First port that `heddle up` allocates for sidecars unless --port-base says otherwise. */
export const defaultPortBase = 20000
