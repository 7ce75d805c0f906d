// Hostnames of listeners and routes of a Gateway: which intersect, and which is more specific. "*" stands for any.

/** The more specific of the two when they overlap; undefined when they do not. */
export function intersectHostnames(a: string, b: string): string | undefined {
  if (coversHostname(a, b)) return b
  return coversHostname(b, a) ? a : undefined
}

/** Whether every host that `inner` means is meant by `outer` too. "*.a.example" means one label more, or several. */
export function coversHostname(outer: string, inner: string): boolean {
  if (outer === '*' || outer === inner) return true
  return outer.startsWith('*.') && inner.endsWith(outer.slice(1)) && inner !== outer.slice(2)
}

/** Most specific first: without wildcard before with one, longer before shorter. */
export function compareSpecificity(a: string, b: string): number {
  return Number(a.startsWith('*')) - Number(b.startsWith('*')) || b.length - a.length || (a < b ? -1 : a > b ? 1 : 0)
}
