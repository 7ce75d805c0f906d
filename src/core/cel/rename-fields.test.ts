import { expect, it } from 'vitest'

import { renameCelFields } from './rename-fields.ts'

const names = new Map([
  ['response.status', 'response.code'],
  ['mtls', 'connection.mtls'],
])

it.each([
  ['response.status >= 500 && !mtls', 'response.code >= 500 && !connection.mtls'],
  ['response . status == 1 || response.status==2', 'response.code == 1 || response.code==2'],
  ['has(response.status) && response.statuses == 1', 'has(response.code) && response.statuses == 1'],
  ['"response.status" == request.path /* mtls */', '"response.status" == request.path /* mtls */'],
  [
    'attempts.exists(one, one.mtls && one.response.status == 1)',
    'attempts.exists(one, one.mtls && one.response.status == 1)',
  ],
  [
    '"é😀" == path || response.status in [1, int(response.status)]',
    '"é😀" == path || response.code in [1, int(response.code)]',
  ],
  ['response.status ==', 'response.status =='],
])('%s becomes %s', (text, renamed) => expect(renameCelFields(text, names)).toBe(renamed))
