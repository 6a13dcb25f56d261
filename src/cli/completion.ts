import { Argument, type Command } from 'commander'
import { print } from './output.ts'

const SHELLS = ['bash', 'zsh'] as const

/** `completion`: teaches a shell the commands. */
export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a completion script: source <(… completion bash)')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .option('--name <name>', 'what the command line is called in your shell', 'agentlocator')
    .action((shell: (typeof SHELLS)[number], { name }: { name: string }) =>
      print(`${completionScript(program, shell, name)}\n`),
    )
}

/** A command, or an option that takes a value, as a case of the shell. */
type Node = { path: string; words: string[]; values: { option: string; words: string[] }[] }

/** What may follow, level by level: sub-commands, options (the program's own everywhere), and choices of the first argument. */
function nodesOf(command: Command, everywhere: string[], path: string[] = []): Node[] {
  const words = [
    ...command.commands.map((child) => child.name()),
    ...(command.registeredArguments[0]?.argChoices ?? []),
    ...command.options.flatMap((option) => (option.long ? [option.long] : [])),
    ...(path.length === 0 ? [] : everywhere),
    '--help',
  ]
  const values = command.options.flatMap(({ long, required, optional, argChoices }) =>
    long && (required || optional) ? [{ option: long, words: argChoices ?? [] }] : [],
  )
  return [
    { path: path.join(' '), words, values },
    ...command.commands.flatMap((child) => nodesOf(child, everywhere, [...path, child.name()])),
  ]
}

/**
 * A completion script for the shell.
 * @param name what the command line is called there
 */
function completionScript(program: Command, shell: (typeof SHELLS)[number], name: string): string {
  if (!/^[\w-]+$/.test(name)) program.error('error: --name wants letters, digits, _ and -.')
  const everywhere = program.options.flatMap((option) => (option.long ? [option.long] : []))
  const nodes = nodesOf(program, everywhere)
  const cases = nodes.map(({ path, words }) => `    '${path}') echo '${words.join(' ')}' ;;`)
  const values = nodes.flatMap(({ path, values }) =>
    values.map(({ option, words }) => `    '${path} ${option}') echo '${words.join(' ')}' ;;`),
  )
  // An option's value is no command: it is skipped when the path is read, whatever it says.
  const bash = `_${name}_words() {
  case $1 in
${cases.join('\n')}
    *) return 1 ;;
  esac
}
_${name}_values() {
  case $1 in
${values.join('\n')}
    *) return 1 ;;
  esac
}
_${name}_complete() {
  local path='' word before='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ $before == --* ]] && { _${name}_values "$path $before" || _${name}_values " $before"; } >/dev/null; then
      before=''
      continue
    fi
    before=$word
    if _${name}_words "\${path:+$path }$word" >/dev/null; then path="\${path:+$path }$word"; fi
  done
  local candidates
  if [[ $before == --* ]] && candidates=$(_${name}_values "$path $before" || _${name}_values " $before"); then :
  else candidates=$(_${name}_words "$path"); fi
  COMPREPLY=($(compgen -W "$candidates" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${name}_complete ${name}
`
  return shell === 'bash' ? bash : `autoload -U +X bashcompinit && bashcompinit\n${bash}`
}
