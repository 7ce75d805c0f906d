// Texts → what is to be simulated, or what is wrong with them.
import type { Problem } from '../../contracts/problem.ts'
import { analyzeFiles } from '../../control/configuration.ts'
import type { ModelDocument } from '../../control/model/document.ts'
import { documentsOfKind, Model } from '../../control/model/model.ts'
import type { MeshSnapshot } from '../../control/snapshot/mesh-snapshot.ts'
import type { SourceFile } from '../../control/sources/source.ts'
import { scenarioProblems } from './simulated-mesh.ts'

export interface SimulationFiles {
  readonly snapshot: MeshSnapshot
  /** Those of `scenarioFiles`. */
  readonly scenarios: readonly ModelDocument<'Scenario'>[]
  /** Of all files. */
  readonly problems: readonly Problem[]
}

/** Other documents beside the scenario are part of the mesh. */
export function readSimulation(
  meshFiles: readonly SourceFile[],
  scenarioFiles: readonly SourceFile[],
): SimulationFiles {
  const { snapshot, problems } = analyzeFiles([...meshFiles, ...scenarioFiles])
  const scenarios = documentsOfKind(new Model().update(scenarioFiles).documents, 'Scenario')
  const found = scenarios.flatMap((scenario) => scenarioProblems(scenario, snapshot))
  return { snapshot, scenarios, problems: [...problems, ...found] }
}
