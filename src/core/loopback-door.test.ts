import { describe, expect, it } from 'vitest'

import { doorRefusal } from './loopback-door.ts'

const v4 = { localAddress: '127.0.0.1', localPort: 8080 }
const mapped = { ...v4, localAddress: '::ffff:127.0.0.1' }
const v6 = { ...v4, localAddress: '::1' }
const pod = { ...v4, localAddress: '10.0.0.7' }
const web = { ...v4, localPort: 80 }

describe('the door', () => {
  it.each([
    [{ host: '127.0.0.1:8080' }, v4],
    [{ host: 'localhost:8080' }, v4],
    [{ host: 'LOCALHOST:8080' }, mapped],
    [{ host: '127.0.0.1:8080' }, mapped],
    [{ host: '[::1]:8080' }, v6],
    [{ host: 'localhost:8080' }, v6],
    [{ host: '10.0.0.7:8080' }, pod],
    [{ host: 'localhost' }, web],
    [{ host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-origin' }, v4],
    [{ host: 'localhost:8080', 'sec-fetch-site': 'none' }, v4],
  ])('lets in %j', (headers, socket) => {
    expect(doorRefusal({ headers, socket })).toBeUndefined()
  })

  it.each([
    [{}, v4],
    [{ host: '' }, v4],
    [{ host: 'rebound.example:8080' }, v4],
    [{ host: '127.0.0.1.rebound.example:8080' }, v4],
    [{ host: 'localhost.rebound.example:8080' }, v4],
    [{ host: '127.0.0.2:8080' }, v4],
    [{ host: '127.0.0.1' }, v4],
    [{ host: '127.0.0.1:8081' }, v4],
    [{ host: '127.0.0.1:8080@rebound.example' }, v4],
    [{ host: 'rebound.example#127.0.0.1:8080' }, v4],
    [{ host: 'localhost:8080' }, pod],
    [{ host: '127.0.0.1:8080', origin: 'http://rebound.example' }, v4],
    [{ host: '127.0.0.1:8080', origin: 'http://127.0.0.1:3000' }, v4],
    [{ host: '127.0.0.1:8080', origin: 'https://127.0.0.1:8080' }, v4],
    [{ host: '127.0.0.1:8080', origin: 'null' }, v4],
    [{ host: '127.0.0.1:8080', 'sec-fetch-site': 'cross-site' }, v4],
    [{ host: '127.0.0.1:8080', 'sec-fetch-site': 'same-site' }, v4],
  ])('refuses %j', (headers, socket) => {
    expect(doorRefusal({ headers, socket })).toBeTypeOf('string')
  })
})
