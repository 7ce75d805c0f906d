import { describe, expect, it } from 'vitest'

import { isKind } from './document-names.ts'
import { documentToYaml } from './document-yaml.ts'

describe('documentToYaml', () => {
  it('says beside each value that nobody wrote where it comes from', () => {
    const yaml = documentToYaml({
      apiVersion: 'v1',
      kind: 'Service',
      namespace: 'default',
      name: 'a',
      origin: { kind: 'store' },
      document: { kind: 'Service', spec: { ports: [{ port: 80, protocol: 'TCP' }], retry: { attempts: 2 } } },
      defaults: { 'spec.ports[0].protocol': 'Kubernetes', 'spec.retry': 'MeshConfig/default', 'spec.gone': 'Heddle' },
    })
    expect(yaml).toBe(
      'kind: Service\nspec:\n  ports:\n    - port: 80\n      protocol: TCP # default: Kubernetes\n' +
        '  # default: MeshConfig/default\n  retry:\n    attempts: 2\n',
    )
  })
})

describe('isKind', () => {
  it.each([
    ['HTTPRoute', 'httproute'],
    ['HTTPRoute', 'HTTPRoutes'],
    ['GatewayClass', 'gatewayclasses'],
    ['AuthorizationPolicy', 'authorizationpolicies'],
  ])('%s is called %s', (kind, wanted) => expect(isKind(kind, wanted)).toBe(true))

  it('keeps kinds apart', () => expect(isKind('TCPRoute', 'httproute')).toBe(false))
})
