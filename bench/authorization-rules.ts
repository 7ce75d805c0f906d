// A thousand authorization rules for the application of the benchmark, as a mesh of many services has them: the caller that is measured is
// let in by the last one.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Returns the file that it writes. */
export function writeAuthorizationRules(folder: string, count = 1_000): string {
  const others = Array.from(
    { length: count - 1 },
    (_, i) => `    - from: [{ source: { principals: [mesh.local/ns/default/sa/caller-${i}] } }]
      to: [{ operation: { methods: [GET, POST], paths: [/area-${i}/items] } }]
`,
  )
  const file = join(folder, 'authorization.yaml')
  writeFileSync(
    file,
    `apiVersion: heddle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: app }
spec:
  selector: { matchLabels: { app: app } }
  rules:
${others.join('')}    - from: [{ source: { principals: [mesh.local/ns/default/sa/client] } }]
`,
  )
  return file
}
