// Telemetry: what workloads and gateways tell of their requests, where it is other than the MeshConfig says.
import type { z } from 'zod'

import { telemetrySpecShape } from '../../policies/telemetry/telemetry.schema.ts'
import type { TelemetryFields } from '../../policies/telemetry/telemetry.schema.ts'
import { scoped } from './security-kinds.ts'
import type { PolicyScope } from './security-kinds.ts'

export type TelemetryDocument = TelemetryFields & PolicyScope

export const telemetryFields: z.ZodRawShape = scoped(telemetrySpecShape, ['Gateway', 'Service'])
