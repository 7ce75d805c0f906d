// Asks applications as the proxy asks endpoints. What that takes is loaded when the first one is to be asked.
import type { Clock } from '../../core/clock.ts'
import type { HealthProbe } from './readiness-watch.ts'

export function createHealthProbe(clock: Clock): HealthProbe {
  let loading: Promise<HealthProbe> | undefined
  return async (place, check) => (await (loading ??= load(clock)))(place, check)
}

async function load(clock: Clock): Promise<HealthProbe> {
  const { askHealth } = await import('../../proxy/cluster/ask-health.ts')
  const { createNetBackend } = await import('../../proxy/io/net-backend.ts')
  const io = createNetBackend(clock)
  return ({ host, port }, check) =>
    askHealth(clock, check, {
      address: `${host}:${port}`,
      secured: false,
      protocol: 'http1',
      connect: () => io.connect({ host, port, timeoutMs: check.timeoutMs }),
    })
}
