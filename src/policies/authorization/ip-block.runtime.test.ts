import { describe, expect, it } from 'vitest'

import { AddressReader, compileIpBlock } from './ip-block.runtime.ts'

function contains(block: string, address: string): boolean {
  const [start = '', length] = block.split('/')
  const reader = new AddressReader()
  reader.read(address)
  return compileIpBlock({ address: start, prefixLength: Number(length) })(reader)
}

describe('a block of addresses', () => {
  it.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:a01:203', true],
    ['10.0.0.0/8', '::10.1.2.3', false],
    ['128.0.0.0/1', '255.0.0.1', true],
    ['128.0.0.0/1', '127.0.0.1', false],
    ['0.0.0.0/0', '1.2.3.4', true],
    ['0.0.0.0/0', '::1', false],
    ['1.2.3.4/32', '1.2.3.4', true],
    ['1.2.3.4/32', '1.2.3.5', false],
    ['::/0', '::1', true],
    ['::/0', '::ffff:1.2.3.4', false],
    ['::ffff:0:0/96', '1.2.3.4', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['2001:db8::/31', '2001:db9::', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['2001:DB8::1/128', '2001:db8:0:0:0:0:0:1', true],
    ['64:ff9b::/96', '64:ff9b::192.0.2.1', true],
    ['1:2:3:4:5:6:7:8/128', '1:2:3:4:5:6:7:8', true],
    ['1::8/128', '1:0:0:0:0:0:0:8', true],
  ])('%s and %s: %s', (block, address, expected) => {
    expect(contains(block, address)).toBe(expected)
  })

  it.each([
    '',
    'a',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1..2.3',
    ':',
    ':::',
    '1::2::3',
    '1:2',
    '1:2:3:4:5:6:7:8:9',
    '::12345',
    '::1.2.3',
    '1:2:3:4:5:6:7::8:9',
    '/run/a.sock',
  ])('is not asked for %j, which is no address', (address) => {
    expect(() => new AddressReader().read(address)).toThrow(`"${address}" is not an IP address`)
    expect(() => compileIpBlock({ address, prefixLength: 8 })).toThrow('not a block of IP addresses')
  })

  it.each(['10.0.0.0/33', '::/129'])('is not %s', (block) => {
    expect(() => contains(block, '1.2.3.4')).toThrow(`"${block}" is not a block of IP addresses`)
  })

  it('does not remember an address that was none', () => {
    const reader = new AddressReader()
    reader.read('1.2.3.4')
    expect(() => reader.read('x')).toThrow('x')
    expect(() => reader.read('x')).toThrow('x')
    reader.read('1.2.3.4')
    expect(compileIpBlock({ address: '1.2.3.4', prefixLength: 32 })(reader)).toBe(true)
  })
})
