// The files of the page as they were built, in memory: what is not among them cannot be asked for.
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

export interface PageAsset {
  readonly type: string
  readonly body: Buffer
  readonly gzip: Buffer
  /** Its name changes with what is in it. */
  readonly isHashed: boolean
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** By path, "/" for the page itself. Undefined: it was not built. */
export function readPageAssets(folder: string): ReadonlyMap<string, PageAsset> | undefined {
  const assets = new Map<string, PageAsset>()
  try {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const type = types[extname(name)]
      if (type === undefined) continue
      const body = readFileSync(join(folder, name))
      const path = name === 'index.html' ? '/' : `/${name.replaceAll('\\', '/')}`
      assets.set(path, { type, body, gzip: gzipSync(body), isHashed: path.startsWith('/assets/') })
    }
  } catch {
    return undefined
  }
  return assets.has('/') ? assets : undefined
}
