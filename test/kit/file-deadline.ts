// Preloaded into every file of a node:test stage: a file that does not end says what holds it, takes its children with it and fails.
// The runner itself would wait for it for ever: `--test-timeout` ends tests, not the process that an open socket keeps alive.
import { after } from 'node:test'

import { processTree } from './process-tree.ts'

const limitMs = process.env['HEDDLE_LONG'] === undefined ? 300_000 : 1_200_000

async function expired(): Promise<void> {
  const children = await processTree(process.pid)
  console.error(
    `${process.argv[1]} did not end within ${limitMs / 1000} s`,
    `\n  still open: ${process.getActiveResourcesInfo().toSorted().join(' ')}`,
    ...children.map(({ pid, command }) => `\n  still running: ${pid} ${command.join(' ').slice(0, 200)}`),
  )
  for (const { pid } of children) process.kill(pid, 'SIGKILL')
  process.exit(1)
}

// grpc-js's server now and then keeps a connection after `forceShutdown`: a file whose tests are over ends all the same, once all is reported
// and its own last hooks have run (`--test-force-exit` would cut the report off)
const lingerMs = 60_000

function leave(): void {
  console.error(`${process.argv[1]} left open: ${process.getActiveResourcesInfo().toSorted().join(' ')}`)
  process.exit()
}

// absent in the runner, which loads this as well
if (process.env['NODE_TEST_CONTEXT'] !== undefined) {
  setTimeout(() => void expired(), limitMs).unref()
  after(() => {
    setTimeout(leave, lingerMs).unref()
  })
}
