// Who asks: principals, trust domains, namespaces, service accounts, addresses and what a token says of its holder.
import { allow, cases, policy, sourceCases } from '../authorization-case.ts'
import type { AuthorizationCase, CaseToken } from '../authorization-case.ts'

const as = (principal: string | undefined): { principal: string | undefined } => ({ principal })
const web = 'spiffe://mesh.local/ns/default/sa/web'
const from = (address: string): { address: string } => ({ address })
const token = (issuer: string, subject: string): { token: CaseToken } => ({
  token: { issuer, subject, audiences: [], claims: {} },
})

export const sourceFieldCases: readonly AuthorizationCase[] = [
  ...sourceCases(
    'principals',
    ['mesh.local/ns/default/sa/web', 'mesh.local/ns/a/sa/b'],
    [
      ['one', as(web), true],
      ['the other', as('spiffe://mesh.local/ns/a/sa/b'), true],
      ['another account', as('spiffe://mesh.local/ns/default/sa/webx'), false],
      ['another namespace', as('spiffe://mesh.local/ns/other/sa/web'), false],
      ['another trust domain', as('spiffe://else.where/ns/default/sa/web'), false],
      ['none', as(undefined), false],
    ],
  ),
  ...sourceCases(
    'principals',
    ['spiffe://mesh.local/ns/default/sa/web'],
    [
      ['it', as(web), true],
      ['another', as('spiffe://mesh.local/ns/default/sa/w'), false],
    ],
  ),
  ...sourceCases(
    'principals',
    ['*'],
    [
      ['any', as('spiffe://x/ns/y/sa/z'), true],
      ['none', as(undefined), false],
    ],
  ),
  ...sourceCases(
    'principals',
    ['mesh.local/ns/default/*'],
    [
      ['a prefix', as(web), true],
      ['another', as('spiffe://mesh.local/ns/default2/sa/web'), false],
      ['none', as(undefined), false],
    ],
  ),
  ...sourceCases(
    'principals',
    ['*/sa/web'],
    [
      ['a suffix', as('spiffe://x.y/ns/z/sa/web'), true],
      ['another', as('spiffe://x.y/ns/z/sa/web2'), false],
      ['none', as(undefined), false],
    ],
  ),
  ...sourceCases('principals', ['*/mesh.local/ns/default/sa/web'], [['the scheme is not part of it', as(web), false]]),
  ...sourceCases(
    'principals',
    ['spiffe://mesh.local/ns/default/*'],
    [
      ['a prefix behind the scheme', as(web), true],
      ['another', as('spiffe://mesh.local/ns/other/sa/web'), false],
    ],
  ),
  ...sourceCases(
    'principals',
    ['old.local/ns/default/sa/web'],
    [
      ['the own trust domain', as(web), true],
      ['the alias', as('spiffe://old.local/ns/default/sa/web'), true],
      ['another alias', as('spiffe://older.local/ns/default/sa/web'), true],
      ['a foreign one', as('spiffe://else.where/ns/default/sa/web'), false],
      ['another account', as('spiffe://mesh.local/ns/default/sa/x'), false],
    ],
    { trustDomains: ['mesh.local', 'old.local', 'older.local'] },
  ),
  ...sourceCases(
    'principals',
    ['mesh.local/ns/default/*'],
    [
      ['the alias, by prefix', as('spiffe://old.local/ns/default/sa/web'), true],
      ['another namespace', as('spiffe://old.local/ns/x/sa/web'), false],
    ],
    { trustDomains: ['mesh.local', 'old.local'] },
  ),
  ...sourceCases(
    'principals',
    ['else.where/ns/default/sa/web'],
    [
      ['a foreign trust domain', as('spiffe://else.where/ns/default/sa/web'), true],
      ['the own one', as(web), false],
    ],
    { trustDomains: ['mesh.local', 'old.local'] },
  ),
  ...sourceCases(
    'namespaces',
    ['default', 'prod-*', '*-test'],
    [
      ['exactly', as(web), true],
      ['of any trust domain', as('spiffe://x/ns/default/sa/y'), true],
      ['a prefix', as('spiffe://mesh.local/ns/prod-eu/sa/y'), true],
      ['a suffix', as('spiffe://mesh.local/ns/a-test/sa/y'), true],
      ['a longer one', as('spiffe://mesh.local/ns/default2/sa/y'), false],
      ['the name of an account', as('spiffe://mesh.local/ns/a/sa/default'), false],
      ['none', as(undefined), false],
    ],
  ),
  ...sourceCases(
    'namespaces',
    ['*'],
    [
      ['any', as(web), true],
      ['none', as(undefined), false],
    ],
  ),
  ...sourceCases(
    'serviceAccounts',
    ['web', 'shop/cart'],
    [
      ['in the namespace of the policy', as(web), true],
      ['of that name elsewhere', as('spiffe://mesh.local/ns/shop/sa/web'), false],
      ['in the namespace given', as('spiffe://mesh.local/ns/shop/sa/cart'), true],
      ['in that of the policy instead', as('spiffe://mesh.local/ns/default/sa/cart'), false],
      ['a longer one', as('spiffe://mesh.local/ns/default/sa/web2'), false],
      ['none', as(undefined), false],
    ],
  ),
  ...cases(
    'serviceAccounts of a policy elsewhere',
    [policy('a', { rules: [{ from: [{ source: { serviceAccounts: ['web'] } }] }] }, 'shop')],
    [['in another namespace', {}, '-']],
  ),
  ...sourceCases(
    'ipBlocks',
    ['192.0.2.0/24', '198.51.100.7'],
    [
      ['in the block', from('192.0.2.255'), true],
      ['mapped into IPv6', from('::ffff:192.0.2.9'), true],
      ['beside the block', from('192.0.3.0'), false],
      ['the address', from('198.51.100.7'), true],
      ['the next address', from('198.51.100.8'), false],
      ['IPv6', from('2001:db8::1'), false],
      ['the peer counts, not whom it speaks for', { address: '203.0.113.1', remoteAddress: '192.0.2.1' }, false],
    ],
  ),
  ...sourceCases(
    'ipBlocks',
    ['2001:db8::/33', '::1'],
    [
      ['in the block', from('2001:db8:7fff::1'), true],
      ['beside it', from('2001:db8:8000::1'), false],
      ['loopback', from('::1'), true],
      ['loopback written out', from('0:0:0:0:0:0:0:1'), true],
      ['IPv4', from('192.0.2.1'), false],
    ],
  ),
  ...sourceCases(
    'ipBlocks',
    ['0.0.0.0/0'],
    [
      ['IPv4', {}, true],
      ['IPv6', from('2001:db8::1'), false],
    ],
  ),
  ...sourceCases(
    'ipBlocks',
    ['::/0'],
    [
      ['IPv6', from('2001:db8::1'), true],
      ['IPv4', {}, false],
    ],
  ),
  ...sourceCases(
    'ipBlocks',
    ['::ffff:192.0.2.0/120'],
    [
      ['IPv4', from('192.0.2.77'), true],
      ['beside it', from('192.0.3.77'), false],
    ],
  ),
  ...sourceCases(
    'ipBlocks',
    ['10.1.2.3/9'],
    [
      ['bits behind the length do not count', from('10.127.0.1'), true],
      ['those before do', from('10.128.0.1'), false],
    ],
  ),
  ...sourceCases(
    'remoteIpBlocks',
    ['203.0.113.0/24'],
    [
      ['behind a proxy', { remoteAddress: '203.0.113.9' }, true],
      ['the proxy itself', { address: '203.0.113.9', remoteAddress: '192.0.2.1' }, false],
      ['without a proxy', from('203.0.113.9'), true],
    ],
  ),
  ...sourceCases(
    'requestPrincipals',
    ['https://issuer.example/alice', 'local/bob'],
    [
      ['one', token('https://issuer.example', 'alice'), true],
      ['the other', token('local', 'bob'), true],
      ['another subject', token('https://issuer.example', 'bob'), false],
      ['another issuer', token('https://other.example', 'alice'), false],
      ['none', {}, false],
    ],
  ),
  ...sourceCases(
    'requestPrincipals',
    ['*'],
    [
      ['any', token('a', 'b'), true],
      ['without subject', token('a', ''), false],
      ['none', {}, false],
    ],
  ),
  ...sourceCases(
    'requestPrincipals',
    ['https://issuer.example/*'],
    [
      ['any subject', token('https://issuer.example', 'x'), true],
      ['an issuer below', token('https://issuer.example/realm', 'x'), true],
      ['another issuer', token('https://issuer.examples', 'x'), false],
      ['none', {}, false],
    ],
  ),
  ...sourceCases(
    'requestPrincipals',
    ['*/alice'],
    [
      ['any issuer', token('x', 'alice'), true],
      ['at the end of a subject', token('x', 'team/alice'), true],
      ['another', token('x', 'malice'), false],
      ['none', {}, false],
    ],
  ),
  ...sourceCases(
    'requestPrincipals',
    ['a/b/c'],
    [
      ['a slash in the subject', token('a', 'b/c'), true],
      ['a slash in the issuer', token('a/b', 'c'), true],
      ['another', token('a', 'b'), false],
    ],
  ),
  ...cases(
    'several fields of a source',
    [
      allow('a', {
        from: [{ source: { namespaces: ['default'], ipBlocks: ['192.0.2.0/24'], notPrincipals: ['*/sa/bad'] } }],
      }),
    ],
    [
      ['all', {}, '+a/0'],
      ['another namespace', as('spiffe://mesh.local/ns/x/sa/web'), '-'],
      ['another address', from('203.0.113.1'), '-'],
      ['the one left out', as('spiffe://mesh.local/ns/default/sa/bad'), '-'],
    ],
  ),
  ...cases(
    'every request must have a token',
    [policy('d', { action: 'DENY', rules: [{ from: [{ source: { notRequestPrincipals: ['*'] } }] }] })],
    [
      ['with', token('a', 'b'), '+'],
      ['without', {}, '-d/0'],
    ],
  ),
]
