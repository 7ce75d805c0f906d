// Small deterministic changes to saved inputs: the same Random gives the same sequence.
import type { Random } from '../../src/core/random.ts'

/** What parsers of HTTP stumble over. */
const dictionary = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  '\0',
  ':',
  ';',
  ',',
  '0',
  '\x0b',
  '\x7f',
  '\xa0',
  '\r\n\r\n',
  '"',
  '%',
  '/',
  '\\',
  '..',
  '/../',
  '%2e',
  '%2f',
  '%5c',
  '%00',
  '%25',
  '\r\n ',
  'chunked',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'Connection: close\r\n',
  'Host: b\r\n',
  '0\r\n\r\n',
  '5\r\n',
  'ffffffff',
  'HTTP/1.0',
  'HTTP/1.1',
  'GET /evil HTTP/1.1\r\nHost: a\r\n\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: websocket\r\nConnection: Upgrade\r\n',
].map((text) => Buffer.from(text, 'latin1'))

export function mutate(seeds: readonly Buffer[], random: Random): Buffer {
  let bytes: Buffer = pick(seeds, random)
  const changes = 1 + random.int(4)
  for (let change = 0; change < changes; change++) bytes = mutateOnce(bytes, seeds, random)
  return bytes.subarray(0, 8_192)
}

function mutateOnce(bytes: Buffer, seeds: readonly Buffer[], random: Random): Buffer {
  const at = random.int(bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + random.int(8))
  const before = bytes.subarray(0, at)
  switch (random.int(8)) {
    case 0:
      return Buffer.concat([before, Buffer.of(random.int(256)), bytes.subarray(Math.min(at + 1, bytes.length))])
    case 1:
      return Buffer.concat([before, bytes.subarray(end)])
    case 2:
      return Buffer.concat([before, bytes.subarray(at, end), bytes.subarray(at)])
    case 3:
    case 4:
      return Buffer.concat([before, pick(dictionary, random), bytes.subarray(at)])
    case 5:
      return Buffer.concat([before, pick(dictionary, random), bytes.subarray(end)])
    case 6: {
      const other = pick(seeds, random)
      return Buffer.concat([before, other.subarray(random.int(other.length + 1))])
    }
    default:
      return Buffer.from(before)
  }
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random.int(items.length)] as T
}
