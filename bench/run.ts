// `npm run bench -- [--quick] [--json FILE] [--only WORK,...] [--rounds N]`: Heddle beside other proxies, in turns, each on one core.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { Heddle } from './heddle.ts'
import { Caddy } from './peers/caddy.ts'
import { Haproxy } from './peers/haproxy.ts'
import { Nginx } from './peers/nginx.ts'
import { machine, type Report, type Row, rowsOf, table } from './report.ts'
import { measureAll, openSession } from './session.ts'
import { works } from './works.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    only: { type: 'string' },
    rounds: { type: 'string' },
  },
})

const wanted = values.only?.split(',')
const unknown = wanted?.filter((name) => !works.some((work) => work.name === name)) ?? []
if (unknown.length > 0) {
  console.error(`no such work: ${unknown.join(', ')}; there are ${works.map((work) => work.name).join(', ')}`)
  process.exit(2)
}
const chosen = works.filter((work) => wanted === undefined || wanted.includes(work.name))
const rounds = Number(values.rounds ?? (values.quick ? 2 : 5))
const pace = values.quick
  ? { seconds: 1, warmupSeconds: 0.5, hugeBodyBytes: 512 << 20 }
  : { seconds: 3, warmupSeconds: 1, hugeBodyBytes: 10 * 2 ** 30 }

const session = await openSession()
const { bench } = session
const proxies = [
  new Heddle({ name: 'heddle', tree: join(import.meta.dirname, '..') }, bench),
  new Haproxy(bench, false),
  new Haproxy(bench, true),
  new Nginx(bench),
  new Caddy(bench),
]
const perSample = pace.seconds + pace.warmupSeconds + 0.3
console.log(
  `${machine()}, Node ${process.version}; ${rounds} rounds, about ${Math.ceil((chosen.length * rounds * 4 * perSample + 20) / 60)} minutes`,
)

const rows: Row[] = []
try {
  await measureAll({
    proxies,
    works: chosen,
    rounds,
    pace,
    progress: (text) => process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`),
    finished: (measured) => {
      const own = rowsOf(measured)
      rows.push(...own)
      if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
      console.log(`\n${measured.work}: ${works.find((work) => work.name === measured.work)?.what}\n${table(own)}`)
    },
  })
} finally {
  await session.stop()
}
const report: Report = { machine: machine(), node: process.version, rows }
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 1)}\n`)
