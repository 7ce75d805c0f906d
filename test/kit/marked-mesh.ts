// A mesh under load: a client, and an echo service of several workloads behind a route that marks its answers.
import { meshFile } from './running-mesh.ts'

const app = new URL('./echo-server.ts', import.meta.url).pathname

export interface MarkedMeshOptions {
  /** More documents, YAML. */
  readonly documents?: string
  /** How many echo workloads, each with its own port. */
  readonly replicas?: number
}

/** Writes the mesh into a new folder and returns the file. Answers carry `x-generation: first`. */
export function markedMesh(options: MarkedMeshOptions = {}): Promise<string> {
  const base = 20_000 + Math.floor(Math.random() * 8_000)
  const echoes = Array.from({ length: options.replicas ?? 2 }, (_, i) =>
    workload(`echo-${i + 1}`, 'echo', base + 1 + i),
  )
  const documents = [
    workload('client', 'client', base),
    ...echoes,
    `
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  selector: {app: echo}
  ports: [{name: http, port: 80, targetPort: http}]
`,
    `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: echo}
spec:
  parentRefs: [{group: "", kind: Service, name: echo}]
  rules:
    - filters:
        - type: ResponseHeaderModifier
          responseHeaderModifier:
            set: [{name: x-generation, value: first}]
      backendRefs: [{name: echo, port: 80}]
`,
    options.documents ?? '',
  ]
  return meshFile(documents.filter((text) => text.trim() !== '').join('---'))
}

function workload(name: string, label: string, port: number): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, labels: {app: ${label}}}
spec:
  serviceAccount: ${label}
  ports: [{name: http, port: ${port}}]
  command: [node, ${app}]
  env: {ECHO_PORTS: '${port}', POD_NAME: ${name}, POD_NAMESPACE: default}
`
}
