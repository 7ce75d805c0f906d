// The redaction filter without a mesh: node --test examples/filters/redact.test.ts
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { tryFilter } from 'heddle/filter-kit'

import redact from './redact.ts'

const config = { fields: ['card', 'taxId'] }
const headers = { 'content-type': 'application/json; charset=utf-8', etag: '"1"' }

test('hides the fields at any depth', async () => {
  const body = JSON.stringify({ name: 'Ada', card: '4111', orders: [{ id: 1, taxid: 'GB1' }] })
  const { response, metadata } = await tryFilter(redact, { config, response: { headers, body } })
  assert.deepEqual(JSON.parse(response.body), { name: 'Ada', card: '***', orders: [{ id: 1, taxid: '***' }] })
  assert.equal(response.headers['etag'], undefined)
  assert.equal(metadata['redacted'], 2)
})

test('leaves other content as it is', async () => {
  const { response } = await tryFilter(redact, {
    config,
    response: { headers: { 'content-type': 'text/plain' }, body: 'card: 4111' },
  })
  assert.equal(response.body, 'card: 4111')
})

test('lets nothing through that it cannot read', async () => {
  const { response } = await tryFilter(redact, { config, onError: 'Refuse', response: { headers, body: '{"card":' } })
  assert.equal(response.status, 500)
  assert.ok(!response.body.includes('card'))
})
