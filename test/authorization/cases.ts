// All authorization cases, as plain data: for the engine, for the reference evaluator, and for real sockets.
import type { AuthorizationCase } from './authorization-case.ts'
import { conditionFieldCases } from './cases/condition-cases.ts'
import { expressionFieldCases } from './cases/expression-cases.ts'
import { manyRulesCases } from './cases/many-rules-cases.ts'
import { operationFieldCases } from './cases/operation-cases.ts'
import { orderCases } from './cases/order-cases.ts'
import { sourceFieldCases } from './cases/source-cases.ts'
import { tcpCases } from './cases/tcp-cases.ts'

export const authorizationCases: readonly AuthorizationCase[] = [
  ...orderCases,
  ...sourceFieldCases,
  ...operationFieldCases,
  ...conditionFieldCases,
  ...expressionFieldCases,
  ...tcpCases,
  ...manyRulesCases,
]
