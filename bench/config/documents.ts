// The mesh that the configuration benchmark runs: a caller, a Service `app`, and two colours behind it that its route chooses from.
import { join } from 'node:path'

export type Colour = 'blue' | 'green'

/** What stays the same. `ports`: where the two applications listen. */
export function meshDocuments(ports: Readonly<Record<Colour, number>>): string {
  const app = JSON.stringify(join(import.meta.dirname, 'app.ts'))
  const colours = (['blue', 'green'] as const).map(
    (colour) => `
${service(`app-${colour}`, colour)}
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${colour}, namespace: default, labels: { app: app, colour: ${colour} } }
spec:
  serviceAccount: ${colour}
  ports: [{ name: http, port: ${ports[colour]} }]
  command: [node, ${app}]
  env: { COLOUR: ${colour}, PORT: '${ports[colour]}' }
---`,
  )
  return `${colours.join('')}
apiVersion: v1
kind: Service
metadata: { name: app, namespace: default }
spec:
  selector: { app: app }
  ports: [{ name: http, port: 80, targetPort: http }]
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: caller, namespace: default, labels: { app: caller } }
spec:
  serviceAccount: caller
`
}

/** What each change replaces: the colour that answers, and the header that tells which change is in force. */
export function routeDocument(change: number, colour: Colour): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app, namespace: default }
spec:
  parentRefs: [{ group: '', kind: Service, name: app, port: 80 }]
  rules:
    - filters:
        - type: ResponseHeaderModifier
          responseHeaderModifier: { set: [{ name: x-change, value: '${change}' }] }
      backendRefs: [{ name: app-${colour}, port: 80 }]
`
}

function service(name: string, colour: Colour): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec:
  selector: { colour: ${colour} }
  ports: [{ name: http, port: 80, targetPort: http }]`
}
