// Load balancing ↔ envoy.config.cluster.v3.LoadBalancingPolicy.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { Cluster, LoadBalancingPolicySchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { LeastRequestSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts'
import { RoundRobinSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'

/** Round robin comes second for data planes that do not know least request (gRPC in most languages): they take the first they know. */
export function encodeLoadBalancing(spec: LoadBalancingSpec): MessageInitShape<typeof LoadBalancingPolicySchema> {
  return {
    policies: [
      {
        typedExtensionConfig: {
          name: 'envoy.load_balancing_policies.least_request',
          typedConfig: typedConfig(LeastRequestSchema, { choiceCount: spec.choiceCount }),
        },
      },
      {
        typedExtensionConfig: {
          name: 'envoy.load_balancing_policies.round_robin',
          typedConfig: typedConfig(RoundRobinSchema, {}),
        },
      },
    ],
  }
}

/** Whatever else a control plane asks for, endpoints are compared by their active requests: two of them unless it says how many. */
export function decodeLoadBalancing(cluster: Cluster): LoadBalancingSpec {
  const configs = cluster.loadBalancingPolicy?.policies.map((policy) => policy.typedExtensionConfig?.typedConfig)
  const leastRequest = configs?.find((config) => isTypedConfig(config, LeastRequestSchema))
  if (leastRequest === undefined) return { kind: 'least-request', choiceCount: 2 }
  const { choiceCount } = readTypedConfig(leastRequest, LeastRequestSchema, 'load_balancing_policy')
  return { kind: 'least-request', choiceCount: choiceCount ?? 2 }
}
