// A verb as it is declared: its help with examples, and the options of those that talk to a running mesh.
import { Command } from 'commander'

import type { CliContext, Work } from './context.ts'
import { addressOption, outputOption, stateDirOption, tokenFileOption } from './mesh-options.ts'

/** `run` gets the work of the verb that was called. */
export type Declare = (program: VerbCommand, context: CliContext, run: (work: Work) => Promise<void>) => void

export class VerbCommand extends Command {
  override createCommand(name?: string): VerbCommand {
    return new VerbCommand(name)
  }

  verb(name: string, description: string, examples: readonly string[]): VerbCommand {
    const lines = examples.map((example) => `  $ ${example}`).join('\n')
    return this.command(name).description(description).addHelpText('after', `\nExamples:\n${lines}`)
  }

  /** Where the mesh is, and who asks. */
  reachesMesh(): this {
    return this.addOption(stateDirOption()).addOption(addressOption()).addOption(tokenFileOption())
  }

  /** Those, and the form of the answer. */
  asksMesh(): this {
    return this.reachesMesh().addOption(outputOption())
  }
}
