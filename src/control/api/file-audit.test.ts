import { beforeEach, expect, it } from 'vitest'

import { WatchableValue } from '../../core/watchable.ts'
import type { SourceFile } from '../sources/source.ts'
import type { AuditEntry } from './audit-log.ts'
import { FileAudit } from './file-audit.ts'

const file = (path: string, text: string): SourceFile => ({ path, text })
const documents = (set: Record<string, string>): Map<string, string> => new Map(Object.entries(set))

let entries: AuditEntry[] = []
beforeEach(() => (entries = []))

function start(
  files: WatchableValue<readonly SourceFile[]>,
  before: Record<string, string>,
  revision: string,
): FileAudit {
  const audit = { append: (entry: AuditEntry) => void entries.push(entry) }
  return new FileAudit({ audit, files, documents: documents(before), revision })
}

it('writes down which files made which documents another revision', () => {
  const [a, b] = [file('a.yaml', '1'), file('b.yaml', '1')]
  const files = new WatchableValue<readonly SourceFile[]>([a, b])
  const audit = start(files, {}, '0')
  audit.revised('1', documents({ 'Service/d/a': 'text of a', 'Service/d/b': 'text of b' }), audit.changedFiles())
  files.set([file('a.yaml', '2'), file('c.yaml', '1')])
  audit.revised('2', documents({ 'Service/d/a': 'another text', 'Secret/d/c': 'private' }), audit.changedFiles())
  expect(entries).toEqual([
    {
      source: 'files',
      files: ['a.yaml', 'b.yaml'],
      changes: [
        { object: 'Service/d/a', action: 'created' },
        { object: 'Service/d/b', action: 'created' },
      ],
      revisionBefore: '0',
      revisionAfter: '1',
    },
    {
      source: 'files',
      files: ['a.yaml', 'b.yaml', 'c.yaml'],
      changes: [
        { object: 'Secret/d/c', action: 'created' },
        { object: 'Service/d/a', action: 'changed' },
        { object: 'Service/d/b', action: 'deleted' },
      ],
      revisionBefore: '1',
      revisionAfter: '2',
    },
  ])
})

it('leaves out what the API did, and a start at which nothing differs', () => {
  const files = new WatchableValue<readonly SourceFile[]>([file('a.yaml', '1')])
  const audit = start(files, { 'Service/d/a': '1' }, '7')
  audit.revised('7', documents({ 'Service/d/a': '1' }), audit.changedFiles())
  audit.revised('8', documents({ 'Service/d/a': '1', 'Service/d/b': '1' }), undefined)
  expect(entries).toEqual([])
  files.set([file('a.yaml', '2')])
  audit.revised('9', documents({ 'Service/d/a': '2', 'Service/d/b': '1' }), audit.changedFiles())
  expect(entries).toEqual([
    {
      source: 'files',
      files: ['a.yaml'],
      changes: [{ object: 'Service/d/a', action: 'changed' }],
      revisionBefore: '8',
      revisionAfter: '9',
    },
  ])
})
