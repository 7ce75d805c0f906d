// RuntimeConfig as JSON for /config_dump: what the sidecar runs, not what it was sent.
import type { ClusterConfig, ListenerConfig, RouteConfiguration, RuntimeConfig } from '../runtime/runtime-config.ts'

export interface ConfigDump {
  readonly revision: string
  readonly listeners: readonly ListenerConfig[]
  readonly routeConfigurations: readonly RouteConfiguration[]
  readonly clusters: readonly ClusterConfig[]
}

export function describeConfig(config: RuntimeConfig): ConfigDump {
  return {
    revision: config.revision,
    listeners: [...config.listeners.values()],
    routeConfigurations: [...config.routeConfigurations.values()],
    clusters: [...config.clusters.values()],
  }
}
