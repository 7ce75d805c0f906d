import { describe, expect, it, onTestFinished } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { WatchableValue } from '../../core/watchable.ts'
import { createConfiguration } from '../configuration.ts'
import type { SourceFile } from '../sources/source.ts'
import { createStoreSource } from '../sources/store-source.ts'
import { createAppliedDocuments } from '../store/applied-documents.ts'
import type { AppliedDocuments } from '../store/applied-documents.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { DocumentsPort } from './control-api-deps.ts'
import { createDocumentsPort } from './documents-port.ts'

const inFile = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
`
const reviews = inFile.replace('web', 'reviews')

async function newPort(): Promise<{ port: DocumentsPort; applied: AppliedDocuments }> {
  const clock = new ManualClock()
  const store = openSqliteStore({ file: ':memory:', clock, logger: silentLogger })
  onTestFinished(() => store.close())
  const applied = await createAppliedDocuments(store)
  const fromStore = createStoreSource(applied)
  await fromStore.start()
  const fromFile = { files: new WatchableValue<readonly SourceFile[]>([{ path: 'mesh.yaml', text: inFile }]) }
  const sources = [{ ...fromFile, start: () => Promise.resolve(), stop() {} }, fromStore]
  const configuration = createConfiguration({ sources, initialRevision: '1', clock, logger: silentLogger })
  const files = (): readonly SourceFile[] => sources.flatMap((source) => source.files.value)
  return { port: createDocumentsPort({ configuration, files, applied, progressOf: () => undefined }), applied }
}

describe('documents of the API', () => {
  it('keep what was applied as it was written, and show which values nobody wrote', async () => {
    const { port, applied } = await newPort()
    const { documents } = await port.apply(`${inFile.replace('web', 'a')}---${reviews}`, {
      dryRun: false,
      mayRunPrograms: true,
    })
    expect(documents.map(({ name, action }) => [name, action])).toEqual([
      ['a', 'created'],
      ['reviews', 'created'],
    ])
    await expect.poll(() => applied.list().length).toBe(2)
    expect(applied.list()[1]?.text).toContain('spec: {ports: [{port: 80}]}')
    const [view] = port.list({ kind: 'service', name: 'reviews' })
    expect(view?.origin).toEqual({ kind: 'store' })
    expect(view?.defaults).toMatchObject({ 'metadata.namespace': 'Heddle' })
    expect(view?.defaults).not.toHaveProperty(['spec.ports[0].port'])
  })

  it('say that a Secret has changed when what it holds has, and show nothing of it', async () => {
    const { port, applied } = await newPort()
    const head = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n'
    const apply = (password: string) =>
      port.apply(`${head}stringData: {password: ${password}}\n`, { dryRun: false, mayRunPrograms: true })
    const created = await apply('hunter2')
    const same = await apply('hunter2')
    const changed = await apply('hunter3')
    const actions = [created, same, changed].map(({ documents }) => documents[0]?.action)
    expect(actions).toEqual(['created', 'unchanged', 'changed'])
    expect(applied.list()[0]?.text).toContain('hunter3')
    expect(JSON.stringify([created, same, changed, port.list({ kind: 'secret' })])).not.toContain('hunter')
  })

  it('change nothing on a dry run or when anything is wrong, and say all that is', async () => {
    const { port, applied } = await newPort()
    expect((await port.apply(reviews, { dryRun: true, mayRunPrograms: true })).documents).toHaveLength(1)
    const bad = await port.apply(
      `${reviews}---${reviews}---${inFile}---\napiVersion: v1\nkind: Servise\nmetadata: {name: x}\n`,
      { dryRun: false, mayRunPrograms: true },
    )
    expect(bad.problems.map(({ code }) => code)).toEqual(expect.arrayContaining(['HDL003', 'HDL007', 'HDL012']))
    expect(applied.list()).toEqual([])
  })

  it('start programs for administrators alone', async () => {
    const { port, applied } = await newPort()
    const runs = 'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: {name: w}\nspec:\n  command: [sh]\n'
    const refused = await port.apply(runs, { dryRun: false, mayRunPrograms: false })
    expect(refused.problems).toMatchObject([{ code: 'HDL005', severity: 'error', path: 'spec.command' }])
    expect(refused.problems[0]?.position).toMatchObject({ line: 5 })
    expect(applied.list()).toEqual([])
    const allowed = await port.apply(runs, { dryRun: false, mayRunPrograms: true })
    expect(allowed.documents).toMatchObject([{ action: 'created' }])
  })

  it('register processes for administrators alone', async () => {
    const { port, applied } = await newPort()
    const registers =
      'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: {name: w}\nspec:\n  unix: {uid: 1001}\n'
    const refused = await port.apply(registers, { dryRun: false, mayRunPrograms: false })
    expect(refused.problems).toMatchObject([{ code: 'HDL005', severity: 'error', path: 'spec.unix' }])
    expect(refused.problems[0]?.message).toBe(
      '"unix" needs the role admin: what it names gets the identity of the workload',
    )
    expect(applied.list()).toEqual([])
    const allowed = await port.apply(registers, { dryRun: false, mayRunPrograms: true })
    expect(allowed.documents).toMatchObject([{ action: 'created' }])
  })

  it('bring code into proxies for administrators alone', async () => {
    const { port, applied } = await newPort()
    const code =
      "apiVersion: heddle.dev/v1alpha1\nkind: Filter\nmetadata: {name: f}\nspec:\n  typescript: {code: 'export default {}'}\n"
    const refused = await port.apply(code, { dryRun: false, mayRunPrograms: false })
    expect(refused.problems).toMatchObject([{ code: 'HDL005', severity: 'error', path: 'spec.typescript' }])
    expect(applied.list()).toEqual([])
    const allowed = await port.apply(code, { dryRun: false, mayRunPrograms: true })
    expect(allowed.documents).toMatchObject([{ action: 'created' }])
  })

  it('name files that proxies write for administrators alone', async () => {
    for (const [kind, field] of [
      ['MeshConfig', 'accessLog'],
      ['Telemetry', 'accessLogs'],
    ]) {
      const { port, applied } = await newPort()
      const writes = `apiVersion: heddle.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: m}\nspec:\n  ${field}: {file: {path: /var/log/a.log}}\n`
      const refused = await port.apply(writes, { dryRun: false, mayRunPrograms: false })
      expect(refused.problems).toMatchObject([{ code: 'HDL005', severity: 'error', path: `spec.${field}.file` }])
      expect(applied.list()).toEqual([])
      const allowed = await port.apply(writes, { dryRun: false, mayRunPrograms: true })
      expect(allowed.documents).toMatchObject([{ action: 'created' }])
    }
  })

  it('delete what was applied, and leave to files what stands in files', async () => {
    const { port, applied } = await newPort()
    await port.apply(reviews, { dryRun: false, mayRunPrograms: true })
    await expect.poll(() => applied.list().length).toBe(1)
    const key = { kind: 'Service', namespace: 'default' }
    expect((await port.delete({ ...key, name: 'reviews' }))?.documents).toMatchObject([{ action: 'deleted' }])
    await expect.poll(() => applied.list().length).toBe(0)
    expect((await port.delete({ ...key, name: 'web' }))?.problems).toMatchObject([{ code: 'HDL012' }])
    expect(await port.delete({ ...key, name: 'nobody' })).toBeUndefined()
  })
})
