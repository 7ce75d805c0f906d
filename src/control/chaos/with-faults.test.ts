import { expect, it } from 'vitest'

import { MeshBuilder } from '../../../test/kit/mesh-builder.ts'
import { withFaults } from './with-faults.ts'

const faults = { spec: { headers: [], reset: { share: 1 } } }

it('faults of experiments are those of the ports that they name; all else is as it was', () => {
  const snapshot = new MeshBuilder().service('default', 'reviews').service('default', 'ratings').build()
  const [reviews, ratings] = [...snapshot.services.values()]
  const [port] = reviews?.ports ?? []
  const suffering = withFaults(snapshot, new Map([[`${reviews?.host}:${port?.port}`, faults]]))
  expect(suffering.services.get(reviews?.host ?? '')?.ports[0]).toEqual({ ...port, traffic: { faults } })
  expect(suffering.services.get(ratings?.host ?? '')).toBe(ratings)
  expect(withFaults(snapshot, new Map())).toBe(snapshot)
  expect(withFaults(snapshot, new Map([['gone.default.svc.cluster.local:80', faults]])).services).toEqual(
    snapshot.services,
  )
})
