// The routes of the read API as an OpenAPI document.
import { z } from 'zod'

import type { ReadRoute } from './read-route.ts'

export function openApiDocument(routes: readonly ReadRoute[]): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Heddle read API',
      version: 'v1',
      description:
        'What a running mesh looks like. Every request needs a bearer token of a viewer. /v1/live sends it as it changes, /v1/tap the decision records of requests as they happen (text/event-stream).',
    },
    security: [{ bearer: [] }],
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    paths: Object.fromEntries(
      routes.map((route) => [route.path.replaceAll(/:(\w+)/g, '{$1}'), { get: operation(route) }]),
    ),
  }
}

function operation({ path, summary, query, answer }: ReadRoute): object {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const asked = z.toJSONSchema(query, { io: 'input' })
  const required = new Set(asked.required)
  const inQuery = Object.entries(asked.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.has(name),
    schema,
  }))
  return {
    summary,
    parameters: [...inPath, ...inQuery],
    responses: { '200': { description: summary, content: { 'application/json': { schema: z.toJSONSchema(answer) } } } },
  }
}
