// From figures that say that something fails to the requests that did.
import type { Signals } from '../../../src/contracts/read-api.ts'
import { href, useRoute } from '../route.ts'

/** `service`: "service/default/web". Nothing where none has failed, or no Service was asked. */
export function FailedRequests({ service, failed }: { readonly service: string } & Pick<Signals, 'failed'>) {
  const { query } = useRoute()
  const [kind, ...name] = service.split('/')
  if (failed === 0 || kind !== 'service') return null
  return (
    <a
      className="button"
      href={href(['traffic'], { service: name.join('/'), window: query.get('window') ?? undefined })}
    >
      Failed requests
    </a>
  )
}
