// Where something runs.

export interface Locality {
  readonly region: string
  /** Within the region; "": not told. */
  readonly zone: string
  /** Within the zone; "": not told. */
  readonly subZone: string
}
