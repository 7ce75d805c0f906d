// A copy of an example in a temporary folder, on ports that are free, whose files a test may edit.
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { isScalar, parseAllDocuments } from 'yaml'
import type { Document, Scalar } from 'yaml'

import { freePorts } from './free-ports.ts'

const examples = join(import.meta.dirname, '../../examples')

export class ExampleCopy implements Disposable {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static async of(name: string): Promise<ExampleCopy> {
    const folder = mkdtempSync(join(tmpdir(), `heddle-${name}-`))
    cpSync(join(examples, name), folder, { recursive: true })
    for (const file of readdirSync(folder).filter((one) => one.endsWith('.yaml'))) {
      const path = join(folder, file)
      writeFileSync(path, await onFreePorts(readFileSync(path, 'utf8')))
    }
    return new ExampleCopy(folder)
  }

  /** Replaces text in a file as editors save: a new file, renamed over the old one. Throws when there is nothing to replace. */
  edit(file: string, replace: (text: string) => string): void {
    const path = join(this.folder, file)
    const before = readFileSync(path, 'utf8')
    const after = replace(before)
    if (after === before) throw new Error(`nothing to replace in ${file}`)
    writeFileSync(`${path}.new`, after)
    renameSync(`${path}.new`, path)
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The same text, the ports that Workloads and Gateways listen on replaced by free ones; listeners of one port keep sharing it. */
async function onFreePorts(text: string): Promise<string> {
  const ports = parseAllDocuments(text).flatMap((document) => listeningPorts(document as Document))
  const numbers = [...new Set(ports.map(({ value }) => value))]
  const free = await freePorts(numbers.length)
  let changed = text
  // from the end, so that the ranges before stay true
  for (const port of ports.toReversed()) {
    const [from, to] = port.range as [number, number, number]
    changed = changed.slice(0, from) + String(free[numbers.indexOf(port.value)]) + changed.slice(to)
  }
  return changed
}

function listeningPorts(document: Document): Scalar[] {
  const list = { Workload: 'ports', Gateway: 'listeners' }[String(document.get('kind'))]
  if (list === undefined) return []
  const found: Scalar[] = []
  for (let index = 0; document.hasIn(['spec', list, index]); index++) {
    const port = document.getIn(['spec', list, index, 'port'], true)
    if (isScalar(port)) found.push(port)
  }
  return found
}
