import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../test/kit/manual-clock.ts'
import { systemClock } from '../core/clock.ts'
import { silentLogger } from '../core/logger.ts'
import type { Logger } from '../core/logger.ts'
import { WatchableValue } from '../core/watchable.ts'
import { createConfiguration } from './configuration.ts'
import type { Configuration } from './configuration.ts'
import type { Source, SourceFile } from './sources/source.ts'

class FakeSource implements Source {
  readonly files: WatchableValue<readonly SourceFile[]>
  constructor(...files: readonly SourceFile[]) {
    this.files = new WatchableValue(files)
  }
  write(...texts: readonly string[]): void {
    this.files.set(texts.map((text, index) => ({ path: `${index}.yaml`, text })))
  }
  start(): Promise<void> {
    return Promise.resolve()
  }
  stop(): void {}
}

const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n'

function route(backend: string): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{group: "", kind: Service, name: web}]
  rules: [{backendRefs: [{name: ${backend}, port: 80}]}]
`
}

function configured(
  source: Source,
  logger: Logger = silentLogger,
): { readonly configuration: Configuration; readonly revisions: string[] } {
  const revisions: string[] = []
  const configuration = createConfiguration({
    sources: [source],
    initialRevision: '7',
    clock: new ManualClock(),
    logger,
    onRevision: (snapshot) => revisions.push(snapshot.revision),
  })
  return { configuration, revisions }
}

describe('createConfiguration', () => {
  it('raises the revision when the content changes, and only then', () => {
    const source = new FakeSource({ path: '0.yaml', text: service })
    const { configuration, revisions } = configured(source)
    expect(configuration.snapshot.value.revision).toBe('7')
    source.write(`${service}\n# a comment below changes nothing\n`)
    expect(configuration.snapshot.value.revision).toBe('7')
    source.write(service.replace('80', '81'))
    source.write(service)
    expect(revisions).toEqual(['8', '9'])
  })

  it('keeps the identity of what did not change', () => {
    const source = new FakeSource({ path: '0.yaml', text: service })
    const { configuration } = configured(source)
    const before = configuration.snapshot.value
    source.write(service, service.replace('web', 'other'))
    const after = configuration.snapshot.value
    expect(after.services.size).toBe(2)
    expect(after.services.get('web.default.svc.cluster.local')).toBe(
      before.services.get('web.default.svc.cluster.local'),
    )
    expect(after.settings).toBe(before.settings)
  })

  it('serves on when a document turns bad, tells about it once, and reports the condition', () => {
    const lines: string[] = []
    const logger = { ...silentLogger, warn: (line: string) => void lines.push(line) }
    const source = new FakeSource({ path: '0.yaml', text: service })
    const { configuration, revisions } = configured(source, logger)
    source.write(service.replace('80', 'eighty'))
    source.write(service.replace('80', 'eighty'), '# another file')
    expect(revisions).toEqual([])
    expect(configuration.snapshot.value.services.size).toBe(1)
    expect(lines.filter((line) => line.includes('HDL005'))).toEqual([
      '0.yaml:4:23: error HDL005: "port" must be a number, found "eighty"',
    ])
    expect(configuration.statuses.get('Service/default/web')?.conditions).toMatchObject([
      { type: 'Accepted', status: 'False', reason: 'Invalid' },
    ])
    source.write(service)
    expect(configuration.problems.value.filter((one) => one.severity === 'error')).toEqual([])
    expect(configuration.statuses.get('Service/default/web')?.conditions).toMatchObject([{ status: 'True' }])
  })

  it('reports a dangling backend as a problem, a 500 and a condition at once', () => {
    const source = new FakeSource({ path: '0.yaml', text: service })
    const { configuration } = configured(source)
    source.write(service, route('wbe'))
    const [port] = configuration.snapshot.value.services.get('web.default.svc.cluster.local')?.ports ?? []
    expect(port?.routes[0]?.action).toEqual({ kind: 'invalid', status: 500 })
    expect(configuration.problems.value).toContainEqual(
      expect.objectContaining({
        code: 'HDL008',
        hint: 'Did you mean "web"?',
        path: 'spec.rules[0].backendRefs[0].name',
      }),
    )
    expect(configuration.statuses.get('HTTPRoute/default/web')?.parents?.[0]?.conditions).toMatchObject([
      { type: 'Accepted', status: 'True', reason: 'Accepted' },
      { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound' },
    ])
  })

  it('stops listening when it is stopped', () => {
    const source = new FakeSource({ path: '0.yaml', text: service })
    const { configuration } = configured(source)
    configuration.stop()
    source.write()
    expect(configuration.snapshot.value.services.size).toBe(1)
  })

  it('takes a change among twenty services in a few milliseconds', () => {
    const texts = Array.from({ length: 20 }, (_, index) =>
      [
        service.replace('name: web', `name: web-${index}`).replace('{ports', `{selector: {app: web-${index}}, ports`),
        `apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: {name: web-${index}, labels: {app: web-${index}}}\nspec: {ports: [{port: ${9000 + index}}]}\n`,
        route('web-0').replaceAll('name: web}', `name: web-${index}}`),
      ].join('---\n'),
    )
    const source = new FakeSource({ path: 'mesh.yaml', text: texts.join('---\n') })
    const { configuration, revisions } = configured(source)
    const tookMs: number[] = []
    for (let change = 1; change <= 1000; change++) {
      const next = texts.with(19, texts[19]?.replace('port: 80}]}]', `port: 80, weight: ${change + 1}}]}]`) ?? '')
      const startMs = systemClock.monotonicMs()
      source.files.set([{ path: 'mesh.yaml', text: next.join('---\n') }])
      tookMs.push(systemClock.monotonicMs() - startMs)
    }
    configuration.stop()
    expect(revisions).toHaveLength(1000)
    // the median: other work on the machine must not fail the test
    expect(tookMs.toSorted((a, b) => a - b)[500]).toBeLessThan(15)
  }, 60_000)
})
