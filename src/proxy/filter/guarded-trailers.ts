// Trailers of a caller come after the filters have decided: what those say about it in headers, it cannot say in trailers.
import type { FilteredRequest, HttpFilter } from '../../contracts/http-filter.ts'
import type { HeaderList } from '../../core/header-list.ts'

/** Takes them out. */
export function guardTrailers(
  trailers: HeaderList,
  filters: readonly HttpFilter[],
  { ownedHeaders = [] }: Pick<FilteredRequest, 'ownedHeaders'>,
): void {
  for (const name of [...trailers].map(([written]) => written)) {
    const lower = name.toLowerCase()
    // servers of the CGI kind read "x_user" as "x-user"
    const readings = lower.includes('_') ? [lower, lower.replaceAll('_', '-')] : [lower]
    const isOwned = (reading: string): boolean =>
      ownedHeaders.includes(reading) || filters.some((filter) => filter.ownsHeader?.(reading) === true)
    if (readings.some(isOwned)) trailers.delete(name)
  }
}
