// The tenant filter without a mesh: node --test examples/filters/tenant.test.ts
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { tryFilter } from 'heddle/filter-kit'

import tenant from './tenant.ts'

const config = { tenants: { acme: 'Acme Corp', globex: 'Globex' }, claim: 'org' }

test('names the tenant of the host', async () => {
  const { request, metadata, events } = await tryFilter(tenant, {
    config,
    request: { authority: 'acme.accounts.example' },
  })
  assert.equal(request?.headers['x-tenant'], 'Acme Corp')
  assert.equal(metadata['tenant'], 'Acme Corp')
  assert.deepEqual(events, { 'tenant Acme Corp': 1 })
})

test('believes the token before the host, and the header never', async () => {
  const { request } = await tryFilter(tenant, {
    config,
    request: { authority: 'acme.accounts.example', headers: { 'X-Tenant': 'Initech' } },
    claims: { org: 'globex' },
  })
  assert.equal(request?.headers['x-tenant'], 'Globex')
})

test('answers for a tenant that it does not know', async () => {
  const { request, response } = await tryFilter(tenant, { config, request: { authority: 'initech.accounts.example' } })
  assert.equal(request, undefined)
  assert.equal(response.status, 404)
  assert.match(response.body, /initech/)
})
