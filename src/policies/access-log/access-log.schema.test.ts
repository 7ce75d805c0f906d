import { describe, expect, it } from 'vitest'

import { accessLogSchema, toAccessLogSpec } from './access-log.schema.ts'

function issues(settings: unknown): string[] {
  return (accessLogSchema.safeParse(settings).error?.issues ?? []).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  )
}

describe('the access log as written', () => {
  it('has a default for everything', () => {
    expect(toAccessLogSpec(accessLogSchema.parse({}), undefined)).toEqual({ enabled: true, samplePercent: 1 })
  })

  it('goes to a file with its rotation, or to the collector that was found', () => {
    const file = { path: '/var/log/a b/access.log' }
    expect(toAccessLogSpec(accessLogSchema.parse({ file }), undefined).output).toEqual({
      kind: 'file',
      path: '/var/log/a b/access.log',
      rotation: { longestBytes: 16 * 1024 * 1024, keptFiles: 3 },
    })
    const collector = { cluster: 'otel.example:4317', timeoutMs: 1_000 }
    const settings = accessLogSchema.parse({ provider: { name: 'otel' } })
    expect(toAccessLogSpec(settings, collector).output).toEqual({ kind: 'collector', collector })
    expect(toAccessLogSpec(settings, undefined).output).toBeUndefined()
  })

  it('is in no file but a log, named from the root', () => {
    const refused = ['/etc/passwd', '/root/.ssh/authorized_keys', 'access.log', '../access.log', '/var/log/cron.log/']
    const odd = ['/var//access.log', '/var/./access.log', '/var/../etc/access.log', '/.log', '/etc/.log', '/a\0.log']
    for (const path of [...refused, ...odd])
      expect(issues({ file: { path } }), path).toEqual([
        expect.stringContaining('an absolute path that ends in ".log"'),
      ])
    expect(issues({ file: { path: '/home/me/.local/state/..x/a.b.log' } })).toEqual([])
  })

  it('says what does not go together', () => {
    const both = { file: { path: '/a.log' }, provider: { name: 'otel' }, format: '%DURATION%' }
    expect(issues(both)).toEqual(['format: "format" is of encoding TEXT', 'provider: Give either "file" or "provider"'])
    expect(issues({ encoding: 'TEXT', json: { a: 'b' } })).toEqual(['json: "json" is of encoding JSON'])
  })

  it('takes fields four deep, and no deeper', () => {
    const nested = (depth: number): unknown => (depth === 0 ? '%DURATION%' : { a: nested(depth - 1) })
    expect(issues({ json: nested(4) })).toEqual([])
    expect(issues({ json: nested(5) })).not.toEqual([])
  })
})
