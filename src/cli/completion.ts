// Completion scripts for shells, made from the declared verbs: static words, no process started while completing.
import type { Command, Option } from 'commander'

export type Shell = 'bash' | 'zsh' | 'fish'

interface VerbWords {
  readonly name: string
  readonly description: string
  readonly options: readonly {
    readonly flag: string
    readonly description: string
    readonly values: readonly string[]
  }[]
  readonly words: readonly string[]
}

export function completionScript(program: Command, shell: Shell): string {
  const verbs = program.commands.map((command): VerbWords => ({
    name: command.name(),
    description: command.description(),
    options: [command, ...command.commands].flatMap(({ options }) => options.flatMap(flagsOf)),
    words: [
      ...command.commands.map((inner) => inner.name()),
      ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    ],
  }))
  if (shell === 'fish') return fishScript(verbs)
  return shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${bashScript(verbs)}` : bashScript(verbs)
}

function flagsOf({ long, short, description, argChoices: values = [] }: Option): VerbWords['options'] {
  return [long, short].flatMap((flag) => (flag === undefined || flag === null ? [] : [{ flag, description, values }]))
}

function bashScript(verbs: readonly VerbWords[]): string {
  const cases = verbs
    .map(({ name, options, words }) => {
      const all = [...words, ...options.map(({ flag }) => flag)].join(' ')
      return `    ${name}) words="${all}" ;;`
    })
    .join('\n')
  const values = verbs
    .flatMap(({ name, options }) =>
      options
        .filter((option) => option.values.length > 0)
        .map(
          (option) =>
            `    '${name} ${option.flag}') COMPREPLY=($(compgen -W "${option.values.join(' ')}" -- "$current")); return ;;`,
        ),
    )
    .join('\n')
  return `# heddle completion
_heddle() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words=""
  COMPREPLY=()
  case $previous in
    -f|--file|--state-dir|--bootstrap) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "\${COMP_WORDS[1]} $previous" in
${values}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${verbs.map(({ name }) => name).join(' ')} help" -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _heddle heddle ./heddle
`
}

function fishScript(verbs: readonly VerbWords[]): string {
  const lines = verbs.flatMap(({ name, description, options, words }) => [
    `complete -c heddle -n __fish_use_subcommand -f -a ${name} -d ${fishQuote(description)}`,
    ...options.map(
      ({ flag, description: about, values }) =>
        `complete -c heddle -n '__fish_seen_subcommand_from ${name}' ${fishFlag(flag)}${fishValues(values)} -d ${fishQuote(about)}`,
    ),
    ...words.map((word) => `complete -c heddle -n '__fish_seen_subcommand_from ${name}' -f -a ${word}`),
  ])
  return `${['# heddle completion', ...lines].join('\n')}\n`
}

function fishFlag(flag: string): string {
  return flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`
}

function fishValues(values: readonly string[]): string {
  return values.length === 0 ? '' : ` -x -a ${fishQuote(values.join(' '))}`
}

function fishQuote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
