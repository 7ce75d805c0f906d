// `npm run bench:table FILE`: puts the tables of a run's JSON into docs/performance.md, between its two marks.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { judge, type Report, table } from './report.ts'

const [file] = process.argv.slice(2)
if (file === undefined) {
  console.error('npm run bench:table FILE')
  process.exit(2)
}
const { machine, node, rows } = JSON.parse(readFileSync(file, 'utf8')) as Report
const works = [...new Set(rows.map((row) => row.work))]
const goals = works.flatMap((work) =>
  judge(rows.filter((row) => row.work === work)).map(
    ({ metric, against, ratio, goal, reached }) =>
      `| ${work} | ${metric} | ${against} | ${ratio.toFixed(2)} | ${goal} | ${reached ? 'yes' : '**no**'} |`,
  ),
)
const text = `
${machine}, Node ${node}.

| work | metric | of | measured | goal | reached |
| ---- | ------ | -- | -------- | ---- | ------- |
${goals.join('\n')}

\`\`\`text
${works
  .map(
    (work) =>
      `${work}\n${table(
        rows.filter((row) => row.work === work),
        { goals: false },
      )}`,
  )
  .join('\n\n')}
\`\`\`
`
const document = join(import.meta.dirname, '..', 'docs', 'performance.md')
const [begin, end] = ['<!-- measured: begin -->', '<!-- measured: end -->']
const before = readFileSync(document, 'utf8')
if (!before.includes(begin) || !before.includes(end)) throw new Error(`no ${begin} … ${end} in docs/performance.md`)
const after = before.slice(0, before.indexOf(begin) + begin.length) + text + before.slice(before.indexOf(end))
writeFileSync(document, after)
