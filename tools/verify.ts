// `make verify`: format, lint, types, floors, unit and golden tests; about a minute.
import { checks } from './checks.ts'
import { runStages } from './stages.ts'

await runStages(checks)
