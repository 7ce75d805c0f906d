// The documents of a caller and of an application behind a Service, for tests of what is told of their requests.

/** `port`: where the application listens. */
export function clientAndApp(port: number): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
spec: { serviceAccount: client }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app, labels: { app: app } }
spec: { serviceAccount: app, address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }] }
---`
}
