// The verbs for the shell.
import type { Declare } from '../verb-command.ts'

export const declareShell: Declare = (program, context, run) => {
  program
    .verb('completion', 'print a completion script for a shell', [
      'heddle completion bash >~/.local/share/bash-completion/completions/heddle',
      'source <(heddle completion zsh)',
    ])
    .addArgument(program.createArgument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action((shell) =>
      run(async () => {
        const { completionScript } = await import('../completion.ts')
        context.output.write(completionScript(program, shell as 'bash' | 'zsh' | 'fish'))
        return 0
      }),
    )
}
