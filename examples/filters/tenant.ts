// Tells the application whose tenant a request is for: by a claim of the caller's token, or else by the first label of the host it asked for.
import type { Filter } from 'heddle/filter'

interface TenantConfig {
  /** Name of the tenant by host label or claim. */
  readonly tenants: Readonly<Record<string, string>>
  /** Claim of the token that has the key; default: none, only the host counts. */
  readonly claim?: string
}

const header = 'x-tenant'

const filter: Filter<TenantConfig> = ({ tenants, claim }) => ({
  onRequest(request, context) {
    // whoever calls does not choose
    request.headers.delete(header)
    const claimed = claim === undefined ? undefined : context.claims?.[claim]
    const key = typeof claimed === 'string' ? claimed : (request.authority.split('.')[0] ?? '')
    const tenant = Object.hasOwn(tenants, key) ? tenants[key] : undefined
    if (tenant === undefined) {
      context.count('unknown_tenant')
      return { status: 404, body: `there is no tenant "${key}"\n` }
    }
    request.headers.set(header, tenant)
    context.metadata.set('tenant', tenant)
    context.count('tenant', tenant)
    return undefined
  },
})

export default filter
