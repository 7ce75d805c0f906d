// Resolves host names as other programs of this machine do, its hosts file included; DNS says for how long.
import { lookup, Resolver } from 'node:dns/promises'

import type { ResolvedHost } from './host-addresses.ts'
import { formatServiceRecord, isServiceName } from './service-records.ts'

const ttlQuery = { timeout: 2_000, tries: 1 }

/** By DNS alone, which says nothing of their lifetime here. Rejects when there is no such name. */
export async function resolveService(name: string, resolver: Resolver = new Resolver(ttlQuery)): Promise<ResolvedHost> {
  const records = await resolver.resolveSrv(name)
  // a target of "." is the service's way to say that it is not offered
  return { addresses: records.filter((record) => record.name !== '').map(formatServiceRecord), ttlMs: undefined }
}

/**
 * IPv4 addresses where there are any, else IPv6; the records of a service: endpoints are tried one by one, and where only one kind has a way out the other would take
 * half of the requests. Rejects when the name has no address.
 */
export async function resolveBySystem(host: string): Promise<ResolvedHost> {
  if (isServiceName(host)) return resolveService(host)
  const [found, lifetimes] = await Promise.all([lookup(host, { all: true }), lifetimesOf(host)])
  const family = found.some((one) => one.family === 4) ? 4 : 6
  const addresses = [...new Set(found.filter((one) => one.family === family).map(({ address }) => address))]
  const ttls = addresses.flatMap((address) => lifetimes.get(address) ?? [])
  return { addresses, ttlMs: ttls.length === 0 ? undefined : Math.min(...ttls) * 1_000 }
}

/** Seconds by address; nothing where DNS does not answer. */
async function lifetimesOf(host: string): Promise<ReadonlyMap<string, number>> {
  const resolver = new Resolver(ttlQuery)
  const answers = await Promise.allSettled([
    resolver.resolve4(host, { ttl: true }),
    resolver.resolve6(host, { ttl: true }),
  ])
  const records = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  return new Map(records.map(({ address, ttl }) => [address, ttl]))
}
