// The I/O back ends, each held to the same suite.
import { systemClock } from '../../src/core/clock.ts'
import { loadStreamBindings } from '../../src/core/stream-bindings.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'
import { createRawBackend } from '../../src/proxy/io/raw-backend.ts'
import { describeIoBackend } from '../compliance/io-backend.ts'

describeIoBackend(() => createNetBackend(systemClock))
describeIoBackend(() => createRawBackend(systemClock, loadStreamBindings()))
