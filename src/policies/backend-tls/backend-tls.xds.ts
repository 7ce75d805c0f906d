// TLS towards servers outside the mesh ↔ the transport socket of a cluster. Endpoints behind sidecars have theirs by transport_socket_matches.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Cluster, ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { SubjectAltNameMatcher_SanType as SanType } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { SubjectAltNameMatcher } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { UpstreamTlsContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { adsConfigSource, tlsTransportSocket } from '../peer-authentication/own-secrets.xds.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { BackendTlsSpec, SubjectAltName } from './backend-tls.spec.ts'

export function encodeBackendTls(
  spec: BackendTlsSpec | undefined,
): Pick<MessageInitShape<typeof ClusterSchema>, 'transportSocket'> {
  if (spec === undefined) return {}
  const { serverName, subjectAltNames, rootsSecret } = spec
  const names = subjectAltNames.map(({ type, value }) => ({
    sanType: type === 'dns' ? SanType.DNS : SanType.URI,
    matcher: { matchPattern: { case: 'exact' as const, value } },
  }))
  const value = typedConfig(UpstreamTlsContextSchema, {
    sni: serverName,
    commonTlsContext: {
      validationContextType:
        rootsSecret === undefined
          ? { case: 'validationContext', value: { systemRootCerts: {}, matchTypedSubjectAltNames: names } }
          : {
              case: 'combinedValidationContext',
              value: {
                defaultValidationContext: { matchTypedSubjectAltNames: names },
                validationContextSdsSecretConfig: { name: rootsSecret, sdsConfig: adsConfigSource },
              },
            },
    },
  })
  return { transportSocket: { name: tlsTransportSocket, configType: { case: 'typedConfig', value } } }
}

/** Throws an Error that says what cannot be served: a server that is not verified is nobody's to trust. */
export function decodeBackendTls({ transportSocket }: Cluster): BackendTlsSpec | undefined {
  if (transportSocket === undefined) return undefined
  const place = 'transport_socket'
  const context = readTypedConfig(transportSocket.configType.value, UpstreamTlsContextSchema, place)
  const common = context.commonTlsContext
  if ((common?.tlsCertificates.length ?? 0) > 0 || (common?.tlsCertificateSdsSecretConfigs.length ?? 0) > 0) {
    throw new Error(`${place}: a certificate of the client is not supported`)
  }
  const validation = common?.validationContextType
  const ownRoots = validation?.case === 'validationContext' ? validation.value : undefined
  const combined = validation?.case === 'combinedValidationContext' ? validation.value : undefined
  const rootsSecret = combined?.validationContextSdsSecretConfig?.name ?? ''
  if (ownRoots?.systemRootCerts === undefined && rootsSecret === '') {
    throw new Error(`${place}: the server must be verified, with system_root_certs or with an SDS secret`)
  }
  const names = (ownRoots ?? combined?.defaultValidationContext)?.matchTypedSubjectAltNames ?? []
  if (names.length === 0) throw new Error(`${place}: match_typed_subject_alt_names must say who may answer`)
  return {
    serverName: context.sni,
    subjectAltNames: names.map((name) => decodeName(name, place)),
    ...(rootsSecret === '' ? {} : { rootsSecret }),
  }
}

function decodeName({ sanType, matcher }: SubjectAltNameMatcher, place: string): SubjectAltName {
  const pattern = matcher?.matchPattern
  const type = sanType === SanType.DNS ? 'dns' : sanType === SanType.URI ? 'uri' : undefined
  if (type === undefined || pattern?.case !== 'exact') {
    throw new Error(`${place}: match_typed_subject_alt_names must match DNS names or URIs exactly`)
  }
  return { type, value: pattern.value }
}
