import { Argument, type Command } from 'commander'
import { print } from '../output.ts'

const SHELLS = ['bash', 'zsh'] as const

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a completion script: source <(… completion bash)')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .option('--name <name>', 'the name of this command in your shell', 'agentlocator')
    .action((shell: (typeof SHELLS)[number], { name }: { name: string }) =>
      print(`${completionScript(program, shell, name)}\n`),
    )
}

type Node = { path: string; words: string[]; values: { option: string; words: string[] }[] }

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

/** @param name the name of this command in the shell */
function completionScript(program: Command, shell: (typeof SHELLS)[number], name: string): string {
  if (!/^[\w-]+$/.test(name)) program.error('error: The name is not valid. Use letters, digits, _ and - only.')
  const everywhere = program.options.flatMap((option) => (option.long ? [option.long] : []))
  const nodes = nodesOf(program, everywhere)
  const cases = nodes.map(({ path, words }) => `    '${path}') echo '${words.join(' ')}' ;;`)
  const values = nodes.flatMap(({ path, values }) =>
    values.map(({ option, words }) => `    '${path} ${option}') echo '${words.join(' ')}' ;;`),
  )
  // The value of an option is skipped: it may look like a command.
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
