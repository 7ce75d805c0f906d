// `heddle proxy`: one process that hosts any number of sidecars and gateways. Composition root of the proxy.
import type { ProxyOptions } from '../cli/roles.ts'

export function runProxy(options: ProxyOptions): Promise<void> {
  return Promise.reject(new Error(`the proxy is not assembled yet (${options.bootstrapFile})`))
}
