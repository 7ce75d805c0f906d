// A small mesh for tests of clients: an echo server behind a Service and a gateway, and a caller that the test itself plays.
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { Echo } from './echo-server.ts'
import { freePorts } from './free-ports.ts'
import { meshFile, startMesh } from './running-mesh.ts'
import type { RunningMesh } from './running-mesh.ts'

export interface EchoMesh {
  readonly mesh: RunningMesh
  /** "http://127.0.0.1:N": the caller's way out. */
  readonly outboundProxy: string
  /** "127.0.0.1:N": the caller's loopback listener for the Service `echo`, port 80. */
  readonly listener: string
  /** "127.0.0.1:N": the gateway, which forwards everything to `echo`. */
  readonly gateway: string
  /** What the mesh sets in an application's environment. */
  readonly proxyEnv: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export async function startEchoMesh(): Promise<EchoMesh> {
  const [echoPort = 0, gatewayPort = 0] = await freePorts(2)
  const file = await meshFile(documents(echoPort, gatewayPort))
  const mesh = await startMesh({ files: [file] })
  const caller = mesh.workload('caller')
  const outboundProxy = caller.outboundProxy
  return {
    mesh,
    outboundProxy,
    listener: caller.services.find(({ name, port }) => name === 'echo' && port === 80)?.address ?? 'missing.invalid',
    gateway: mesh.state.gateways[0]?.address ?? 'missing.invalid',
    proxyEnv: {
      http_proxy: outboundProxy,
      HTTP_PROXY: outboundProxy,
      no_proxy: 'localhost,127.0.0.1,::1',
      NO_PROXY: 'localhost,127.0.0.1,::1',
      NODE_USE_ENV_PROXY: '1',
    },
    async stop() {
      await mesh.stop()
      await rm(dirname(file), { recursive: true, force: true })
    },
  }
}

/** Throws, with the text, when it is no echo. */
export function parseEcho(text: string): Echo {
  try {
    return JSON.parse(text) as Echo
  } catch {
    throw new Error(`not an echo: ${text}`)
  }
}

function documents(echoPort: number, gatewayPort: number): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: echo, namespace: default }
spec:
  selector: { app: echo }
  ports: [{ name: http, port: 80, targetPort: http }]
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: echo, namespace: default, labels: { app: echo } }
spec:
  serviceAccount: echo
  ports: [{ name: http, port: ${echoPort} }]
  command: [node, ${JSON.stringify(join(import.meta.dirname, 'echo-server.ts'))}]
  env: { ECHO_PORTS: '${echoPort}', POD_NAME: echo, POD_NAMESPACE: default }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: caller, namespace: default, labels: { app: caller } }
spec:
  serviceAccount: caller
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public, namespace: default }
spec:
  gatewayClassName: heddle
  listeners: [{ name: http, port: ${gatewayPort}, protocol: HTTP }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: echo, namespace: default }
spec:
  parentRefs: [{ name: public }]
  rules:
    - backendRefs: [{ name: echo, port: 80 }]
`
}
