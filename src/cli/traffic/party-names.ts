// Names of who asks and who is asked, as short as they can be told apart. Pure.

export interface Party {
  /** Empty where there is none. */
  readonly namespace: string
  readonly name: string
  /** What its name alone does not say. */
  readonly kind?: 'gateway'
}

const outsideParty: Party = { namespace: '', name: 'outside' }

/** Of a node of the topology: "service/default/reviews", "gateway/default/public", "external/api.example.com", "outside". */
export function partyOfNode(id: string): Party {
  const [kind = '', namespace = '', ...rest] = id.split('/')
  if (kind === 'external') return { namespace: '', name: [namespace, ...rest].join('/') }
  if (rest.length === 0) return outsideParty
  return { namespace, name: rest.join('/'), ...(kind === 'gateway' && { kind }) }
}

/** Of "namespace/name"; empty: nobody of the mesh. */
export function partyOfWorkload(workload: string): Party {
  const slash = workload.indexOf('/')
  if (slash < 0) return workload === '' ? outsideParty : { namespace: '', name: workload }
  return { namespace: workload.slice(0, slash), name: workload.slice(slash + 1) }
}

/** Of "reviews.default.svc.cluster.local"; a host outside the mesh stays as it is. */
export function partyOfHost(host: string): Party {
  const inside = /^([^.]+)\.([^.]+)\.svc\.cluster\.local$/.exec(host)
  if (inside === null) return host === '' ? outsideParty : { namespace: '', name: host }
  return { namespace: inside[2] as string, name: inside[1] as string }
}

/** "name", or "namespace/name". */
export function isCalled({ namespace, name }: Party, wanted: string): boolean {
  return wanted === name || wanted === `${namespace}/${name}`
}

/** Namespaces are said where there is more than one. */
export function partyNames(parties: readonly Party[]): (party: Party) => string {
  const several = new Set(parties.map(({ namespace }) => namespace).filter((namespace) => namespace !== '')).size > 1
  return ({ namespace, name, kind }) => {
    const known = several && namespace !== '' ? `${namespace}/${name}` : name
    return kind === undefined ? known : `${kind} ${known}`
  }
}
