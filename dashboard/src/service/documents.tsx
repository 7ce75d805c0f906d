// Documents, and where they are written.
import type { DocumentPlace } from '../../../src/contracts/read-api.ts'
import { Place } from '../lists/workload-table.tsx'
import { href } from '../route.ts'

export function Documents({ places }: { readonly places: readonly DocumentPlace[] }) {
  return (
    <ul className="plain">
      {places.map((place) => (
        <li key={place.id}>
          <a href={href(['configuration'], { find: place.id })}>{place.id}</a> <Place place={place} />
        </li>
      ))}
    </ul>
  )
}
