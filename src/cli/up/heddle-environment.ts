// The environment of Heddle's own processes: none of them may go through a proxy, least of all through their own.

const proxyVariables = new Set(['http_proxy', 'https_proxy', 'all_proxy', 'grpc_proxy', 'node_use_env_proxy'])

export function heddleEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !proxyVariables.has(name.toLowerCase())))
}
