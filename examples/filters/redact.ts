// Keeps what nobody outside should read out of JSON responses: the named fields, however deep, become "***".
import type { Filter } from 'heddle/filter'

interface RedactConfig {
  /** Names of fields, in whatever case. */
  readonly fields: readonly string[]
}

const filter: Filter<RedactConfig> = ({ fields }) => {
  const hidden = new Set(fields.map((name) => name.toLowerCase()))
  return {
    onResponse(response) {
      const type = response.headers.get('content-type') ?? ''
      if (!/^application\/([\w.-]+\+)?json\b/i.test(type)) response.skipBody()
      else if (response.headers.has('content-encoding')) throw new Error('a compressed body cannot be looked into')
    },
    onResponseBody(body, response, context) {
      let count = 0
      const text = JSON.stringify(JSON.parse(Buffer.from(body).toString()), (name: string, value: unknown) => {
        if (!hidden.has(name.toLowerCase())) return value
        count++
        return '***'
      })
      if (count === 0) return undefined
      // of another body
      response.headers.delete('etag')
      context.metadata.set('redacted', count)
      return text
    },
  }
}

export default filter
