// Requests are routed by claims of their tokens: written to headers before routes are looked up, and never taken from whoever asks.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { exportJWK, generateKeyPair, SignJWT } from 'jose'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const issuer = 'https://issuer.test'
const { privateKey, publicKey } = await generateKeyPair('ES256')
const names = ['blue', 'red', 'anybody'] as const

let mesh: RunningMesh
let file = ''
let gatewayPort = 0
const servers: Server[] = []

before(async () => {
  const [port = 0, ...ports] = await freePorts(1 + names.length)
  gatewayPort = port
  for (const [index, name] of names.entries()) {
    const server = createServer(({ headers }, response) =>
      response.end(`${name} ${String(headers['x-team'] ?? '-')} ${String(headers['x-user'] ?? '-')}`),
    )
    servers.push(server)
    await listenOn(ports[index] as number, server)
  }
  file = await meshFile(await documents(ports))
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers) server.close()
  await rm(dirname(file), { recursive: true, force: true })
})

async function bearer(claims: Record<string, unknown>): Promise<Record<string, string>> {
  const signing = new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'one' })
  const token = await signing.setIssuer(issuer).setSubject('alice').setExpirationTime('5m').sign(privateKey)
  return { authorization: `Bearer ${token}` }
}

function atGateway(headers: Record<string, string> = {}): Promise<WireResponse> {
  return send({ address: `127.0.0.1:${gatewayPort}`, target: '/', headers })
}

function fromCaller(headers: Record<string, string>): Promise<WireResponse> {
  const blue = mesh.workload('caller').services.find(({ name }) => name === 'blue')
  return send({ address: blue?.address ?? '', target: '/', headers: { host: 'blue', ...headers } })
}

describe('a gateway with tokens', () => {
  it('routes by a claim', async () => {
    assert.equal((await atGateway(await bearer({ team: 'blue' }))).body, 'blue blue alice')
    assert.equal((await atGateway(await bearer({ team: 'red' }))).body, 'red red -')
    assert.equal((await atGateway(await bearer({ team: 'green' }))).body, 'anybody green -')
    assert.equal((await atGateway(await bearer({}))).body, 'anybody - -')
  })

  it('never by a header that the client sent, whatever its case, with a token or without', async () => {
    assert.equal((await atGateway()).body, 'anybody - -')
    for (const name of ['x-team', 'X-Team', 'X-TEAM']) {
      assert.equal((await atGateway({ [name]: 'blue' })).body, 'anybody - -', name)
      assert.equal((await atGateway({ [name]: 'blue', ...(await bearer({ team: 'red' })) })).body, 'red red -', name)
      assert.equal((await atGateway({ [name]: 'blue', ...(await bearer({})) })).body, 'anybody - -', name)
    }
  })

  it('refuses a token that is no good, rather than to route without it', async () => {
    const { authorization = '' } = await bearer({ team: 'blue' })
    assert.equal((await atGateway({ authorization: `${authorization.slice(0, -4)}AAAA` })).status, 401)
  })
})

describe('a sidecar with tokens', () => {
  it('gives the claims to the application, and no header that a workload of the mesh made up', async () => {
    assert.equal((await fromCaller({ 'x-team': 'forged', 'x-user': 'forged' })).body, 'blue - -')
    const { body } = await fromCaller({ 'x-team': 'forged', ...(await bearer({ team: 'red' })) })
    assert.equal(body, 'blue red alice')
    assert.equal((await fromCaller({ authorization: 'Bearer x.y.z' })).status, 401)
  })
})

async function documents(ports: readonly number[]): Promise<string> {
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] })
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec:
  gatewayClassName: heddle
  listeners: [{ name: http, port: ${gatewayPort}, protocol: HTTP }]
---
apiVersion: heddle.dev/v1alpha1
kind: RequestAuthentication
metadata: { name: at-gateway }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: public }]
  jwtRules:
    - issuer: ${issuer}
      jwks: '${jwks}'
      forwardOriginalToken: true
      outputClaimToHeaders: [{ header: x-team, claim: team }]
---
apiVersion: heddle.dev/v1alpha1
kind: RequestAuthentication
metadata: { name: at-sidecar }
spec:
  selector: { matchLabels: { app: blue } }
  jwtRules:
    - issuer: ${issuer}
      jwks: '${jwks}'
      outputClaimToHeaders: [{ header: x-team, claim: team }, { header: x-user, claim: sub }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: by-team }
spec:
  parentRefs: [{ name: public }]
  rules:
    - matches: [{ headers: [{ name: x-team, value: blue }] }]
      backendRefs: [{ name: blue, port: 7000 }]
    - matches: [{ headers: [{ name: x-team, value: red }] }]
      backendRefs: [{ name: red, port: 7000 }]
    - backendRefs: [{ name: anybody, port: 7000 }]
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: caller }
spec: { serviceAccount: caller }
${names.map((name, index) => served(name, ports[index] as number)).join('')}`
}

function served(name: string, port: number): string {
  return `---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, ports: [{ name: http, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 7000, targetPort: http }] }
`
}
