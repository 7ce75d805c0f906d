// How MeshConfig says which spellings of a path are one: the choices of Istio's meshConfig.pathNormalization.
import { z } from 'zod'

import type { PathNormalizationSpec } from './path-normalization.spec.ts'

type Normalization = 'none' | 'base' | 'merge-slashes' | 'decode-and-merge-slashes'

export interface PathNormalizationSettings {
  readonly normalization: Normalization
}

const specs: Readonly<Record<Normalization, PathNormalizationSpec>> = {
  none: { normalize: false, mergeSlashes: false, escapedSlashes: 'keep' },
  base: { normalize: true, mergeSlashes: false, escapedSlashes: 'keep' },
  'merge-slashes': { normalize: true, mergeSlashes: true, escapedSlashes: 'keep' },
  'decode-and-merge-slashes': { normalize: true, mergeSlashes: true, escapedSlashes: 'decode' },
}

/** `base`, as Istio's DEFAULT. */
export const pathNormalizationSchema: z.ZodType<PathNormalizationSettings> = z.strictObject({
  normalization: z.enum(Object.keys(specs) as Normalization[]).default('base'),
})

export function toPathNormalizationSpec({ normalization }: PathNormalizationSettings): PathNormalizationSpec {
  return specs[normalization]
}
