// The tables of the Gateway API mesh suite as they lie on disk: `cases.json`, and the YAML files beside it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface SuiteTest {
  readonly test: string
  readonly features: readonly string[]
  readonly manifests: readonly string[]
  readonly cases: readonly SuiteCase[]
}

export interface SuiteCase {
  readonly name?: string
  readonly kind?: 'distribution'
  readonly from: { readonly pod: string; readonly namespace: string }
  readonly request: SuiteRequest
  readonly expect: SuiteExpectation
}

export interface SuiteRequest {
  readonly protocol: 'http' | 'grpc'
  /** "echo", "echo-v1:8080" or "{podIP:echo-v2}:8080". */
  readonly host: string
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Connect to this Service whatever `hostHeader` says. */
  readonly dial?: string
  readonly hostHeader?: string
}

export interface SuiteExpectation {
  readonly status: readonly number[]
  /** Prefix of the answering pod's name. */
  readonly backend?: string
  readonly backendNamespace?: string
  readonly backendRequest?: {
    readonly path?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly absentHeaders?: readonly string[]
  }
  readonly response?: {
    readonly headers?: Readonly<Record<string, string>>
    readonly absentHeaders?: readonly string[]
  }
  readonly redirect?: {
    readonly scheme?: string
    readonly host?: string
    readonly port?: string
    readonly path?: string
  }
  readonly distribution?: Distribution
}

export interface Distribution {
  readonly requests: number
  readonly toleranceAbs: number
  readonly maxAttempts: number
  /** Share of each backend, 0 to 1. */
  readonly weights: Readonly<Record<string, number>>
}

/** Throws when the folder holds no suite. */
export function loadSuite(folder: string): readonly SuiteTest[] {
  const { tests } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as { tests: readonly SuiteTest[] }
  return tests.map((one) => (one.test === 'MeshHTTPRouteNamedRule' ? withoutStatedPaths(one) : one))
}

/** The Go literals state `/named` for `/unnamed` too, and upstream never compares it: a proxy must not change the path. */
function withoutStatedPaths(test: SuiteTest): SuiteTest {
  return {
    ...test,
    cases: test.cases.map((one) => {
      const { backendRequest: _, ...expect } = one.expect
      return { ...one, expect }
    }),
  }
}
